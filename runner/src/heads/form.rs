//! The YAML forms of a head: a list of layers, or `name: arguments`, or the bare name.

use super::{Fitted, Head, LinearSvm, Logistic};
use crate::layers::AnyLayer;
use crate::spec::named::{self, Named};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

pub(super) const LINEAR_SVM: &str = "linear_svm";
pub(super) const LOGISTIC: &str = "logistic";
pub(super) const CONVERT_FC: &str = "convert_fc";

impl Named for Head {
    const WHAT: &'static str = "head";
    const NAMES: &'static [&'static str] = &[LINEAR_SVM, LOGISTIC, CONVERT_FC];

    fn read<'de, D: Deserializer<'de>>(name: &str, arguments: D) -> Result<Self, D::Error> {
        match name {
            LINEAR_SVM => LinearSvm::deserialize(arguments).map(Fitted::LinearSvm).map(Head::Fitted),
            LOGISTIC => Logistic::deserialize(arguments).map(Fitted::Logistic).map(Head::Fitted),
            CONVERT_FC => bool::deserialize(arguments).map(Head::ConvertFc),
            _ => Err(D::Error::unknown_variant(name, Self::NAMES)),
        }
    }
}

impl<'de> Deserialize<'de> for Head {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = Head;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of layers, or `linear_svm`, `logistic` or `convert_fc`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Head, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Head::Layers)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Head, A::Error> {
        named::deserialize(MapAccessDeserializer::new(map))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Head, E> {
        named::deserialize(name.into_deserializer())
    }
}

impl Serialize for Head {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Head::Layers(layers) => layers.serialize(serializer),
            Head::Fitted(Fitted::LinearSvm(svm)) => serializer.collect_map([(LINEAR_SVM, svm)]),
            Head::Fitted(Fitted::Logistic(logistic)) => serializer.collect_map([(LOGISTIC, logistic)]),
            Head::ConvertFc(convert) => serializer.collect_map([(CONVERT_FC, convert)]),
        }
    }
}

impl JsonSchema for Head {
    fn schema_name() -> Cow<'static, str> {
        "Head".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let layer = generator.subschema_for::<AnyLayer>();
        let (svm, logistic) = (generator.subschema_for::<LinearSvm>(), generator.subschema_for::<Logistic>());
        let convert = "The classifier of VGG or AlexNet as convolutions that slide over larger images: the first \
                       linear layer becomes a convolution as large as the features at 224x224 pixels (7x7 for VGG, 6x6 \
                       for AlexNet), the others become 1x1, and the mean over all positions gives one output a class. \
                       Pretrained weights are kept. The adaptive pooling before the classifier is left out: at the native \
                       size it does nothing.";
        let only = |name: &str, arguments: &serde_json::Value| {
            serde_json::json!({
                "type": "object", "properties": { name: arguments }, "required": [name], "additionalProperties": false
            })
        };
        let convert = serde_json::json!({ "type": "boolean", "description": convert });
        json_schema!({
            "description": "The layers after the backbone, down to one output a class: a list of layers, a linear layer \
                            that is fitted to convergence on the features (`linear_svm`, `logistic`), or the \
                            architecture's own classifier as convolutions (`convert_fc`).",
            "anyOf": [
                { "type": "array", "items": layer },
                only(LINEAR_SVM, svm.as_value()),
                only(LOGISTIC, logistic.as_value()),
                only(CONVERT_FC, &convert),
                { "const": LINEAR_SVM },
                { "const": LOGISTIC }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::Hinge;
    use crate::layers::{GlobalAvgPool, Linear, Units};

    fn read(yaml: &str) -> Result<Head, String> {
        let mut track = serde_path_to_error::Track::new();
        let value: serde_yaml::Value = serde_yaml::from_str(yaml).unwrap();
        Head::deserialize(serde_path_to_error::Deserializer::new(value, &mut track))
            .map_err(|error| format!("{}: {error}", track.path()))
    }

    #[test]
    fn every_form_is_read_and_written_back() {
        let list = Head::Layers(vec![GlobalAvgPool {}.into(), Linear::new(Units::Classes).into()]);
        let svm = LinearSvm { c: 0.5, loss: Hinge::Hinge, ..LinearSvm::default() };
        for (yaml, head) in [
            ("[global_avg_pool, { linear: { out: classes } }]", list),
            ("{ linear_svm: { c: 0.5, loss: hinge } }", Head::Fitted(Fitted::LinearSvm(svm))),
            ("linear_svm", Head::Fitted(Fitted::LinearSvm(LinearSvm::default()))),
            ("{ logistic: {} }", Head::Fitted(Fitted::Logistic(Logistic::default()))),
            ("{ convert_fc: true }", Head::ConvertFc(true)),
        ] {
            assert_eq!(read(yaml).as_ref(), Ok(&head), "{yaml}");
            assert_eq!(read(&serde_yaml::to_string(&head).unwrap()), Ok(head), "{yaml}");
        }
    }

    #[test]
    fn mistakes_are_told_where_they_are() {
        for (yaml, start) in [
            ("{ linear_svn: {} }", "linear_svn: unknown head `linear_svn`, expected one of `linear_svm`"),
            ("{ linear_svm: { C: 1 } }", "linear_svm.C: unknown field `C`"),
            ("{ linear_svm: {}, logistic: {} }", "logistic: one head per entry"),
            ("{ convert_fc: 7 }", "convert_fc: invalid type: integer `7`"),
            ("convert_fc", ".: `convert_fc` needs a value"),
            ("[relu, { dropout: 3 }]", "[1].dropout: "),
            ("7", ".: invalid type: integer `7`, expected a list of layers, or `linear_svm`"),
        ] {
            let error = read(yaml).unwrap_err();
            assert!(error.starts_with(start), "{yaml}: {error}");
        }
    }
}
