//! A layer that a plugin brings.

use super::{FirstValues, Kept, Layer, LayerError, Layout, ParamDef, Pass, Role, Shape};
use crate::engine::{Kernels, Tensor};
use crate::plugin::{Call, Instance, Kind, Parameter, ParameterInit, PluginError};
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value;
use std::sync::Arc;

/// A layer that a plugin brings: its name and arguments, as the YAML has them, and, once the plugin
/// is loaded, the layer itself.
#[derive(Debug, Clone)]
pub struct PluginLayer {
    /// The layer's name.
    pub name: String,
    /// Its arguments, without `with`.
    pub arguments: Value,
    /// The places of earlier entries of the list that join the entry above, as inputs.
    pub with: Vec<usize>,
    ready: Option<Ready>,
}

#[derive(Debug, Clone)]
struct Ready {
    instance: Arc<Instance>,
    guard: bool,
}

impl PluginLayer {
    /// Reads the arguments of the layer `name`: whatever they are, since its plugin alone knows.
    pub fn read<'de, D: Deserializer<'de>>(name: &str, arguments: D) -> Result<Self, D::Error> {
        let mut arguments = match Value::deserialize(arguments)? {
            Value::Null => Value::Object(serde_json::Map::new()),
            other => other,
        };
        let with = arguments.as_object_mut().and_then(|arguments| arguments.shift_remove("with"));
        let with = with.map(serde_json::from_value).transpose();
        let with = with.map_err(|_| D::Error::custom("`with` takes the places of earlier layers, as `with: [0]`"))?;
        Ok(PluginLayer { name: name.to_owned(), arguments, with: with.unwrap_or_default(), ready: None })
    }

    /// The arguments as the YAML has them, `with` among them.
    pub fn written(&self) -> Value {
        let mut arguments = self.arguments.clone();
        if let (Some(arguments), false) = (arguments.as_object_mut(), self.with.is_empty()) {
            arguments.insert("with".to_owned(), Value::from(self.with.clone()));
        }
        arguments
    }

    /// The arguments with the number of classes where they say `classes`.
    pub fn arguments_for(&self, classes: usize) -> Value {
        let mut arguments = self.arguments.clone();
        for value in arguments.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
            if value == "classes" {
                *value = Value::from(classes);
            }
        }
        arguments
    }

    /// The name of the plugin that brings it, once it is loaded.
    pub fn plugin(&self) -> Option<&str> {
        Some(self.kind()?.plugin())
    }

    /// Whether it runs on the host when the net is on a GPU.
    pub fn runs_on_host(&self) -> bool {
        !self.ready.as_ref().is_some_and(|ready| ready.instance.kind().works_on_gpu(ready.guard))
    }

    /// Makes the layer itself, of arguments that its kind takes. With `guard`, each use is watched.
    pub fn create(&mut self, kind: &Arc<Kind>, arguments: &Value, guard: bool) -> Result<(), PluginError> {
        let instance = Arc::new(Instance::create(kind, arguments)?);
        self.ready = Some(Ready { instance, guard });
        Ok(())
    }

    fn ready(&self) -> Result<&Ready, LayerError> {
        self.ready
            .as_ref()
            .ok_or_else(|| LayerError::Shape(format!("the plugin that brings `{}` is not loaded", self.name)))
    }

    fn kind(&self) -> Option<&Arc<Kind>> {
        self.ready.as_ref().map(|ready| ready.instance.kind())
    }
}

/// Equal as the YAML is.
impl PartialEq for PluginLayer {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.arguments == other.arguments && self.with == other.with
    }
}

impl Layer for PluginLayer {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let instance = &self.ready()?.instance;
        let kind = instance.kind();
        let more = if inputs.len() < kind.inputs()[0] { "; in a list, `with: [PLACE]` adds others" } else { "" };
        kind.takes(inputs.len()).map_err(|reason| LayerError::Shape(format!("it {reason}{more}")))?;
        let inputs: Vec<Vec<usize>> = inputs.iter().map(|input| input.dims()).collect();
        let output = instance.output_shape(&inputs)?;
        // `params` cannot tell of an error.
        instance.parameters(&inputs)?;
        match output[..] {
            [height, width, channels] => Ok(Shape::Image { height, width, channels }),
            _ => Ok(Shape::Features(output.iter().product())),
        }
    }

    fn params(&self, inputs: &[Shape]) -> Vec<ParamDef> {
        let inputs: Vec<Vec<usize>> = inputs.iter().map(|input| input.dims()).collect();
        let listed = self.ready.as_ref().and_then(|ready| ready.instance.parameters(&inputs).ok());
        listed.unwrap_or_default().into_iter().map(definition).collect()
    }

    fn multiply_adds(&self, inputs: &[Shape], _: Shape) -> u64 {
        let inputs: Vec<Vec<usize>> = inputs.iter().map(|input| input.dims()).collect();
        self.ready.as_ref().map_or(0, |ready| ready.instance.multiply_adds(&inputs))
    }

    fn is_random(&self) -> bool {
        self.kind().is_some_and(|kind| kind.is_random())
    }

    fn kept_for_backward(&self, inputs: &[Shape], _: Shape) -> Kept {
        let Some(Ready { instance, .. }) = &self.ready else { return Kept::NOTHING };
        let inputs: Vec<Vec<usize>> = inputs.iter().map(|input| input.dims()).collect();
        let scratch = instance.scratch_bytes(&inputs, 1).unwrap_or(0);
        let kind = instance.kind();
        Kept { inputs: kind.keeps_inputs(), output: kind.keeps_output(), extra: scratch.div_ceil(size_of::<f32>()) }
    }

    fn forward<D: Kernels>(
        &self,
        inputs: &[Tensor<D>],
        params: &[Tensor<D>],
        pass: &mut Pass<D>,
    ) -> Result<Tensor<D>, LayerError> {
        let Ready { instance, guard } = self.ready()?;
        let batch = inputs.first().and_then(|input| input.dims().first()).copied().unwrap_or(0);
        let of_sample = |input: &Tensor<D>| input.dims().get(1..).unwrap_or_default().to_vec();
        let shapes: Vec<Vec<usize>> = inputs.iter().map(of_sample).collect();
        let mut output = vec![batch];
        output.extend(instance.output_shape(&shapes)?);
        let keys = (0..batch).map(|row| pass.random_key(row).word()).collect();
        let call = Call::new(instance.clone(), pass.training, keys, &shapes, *guard)?;
        Ok(D::foreign(pass.tape, Arc::new(call), inputs, params, &output)?)
    }
}

/// What the net knows of a parameter that a plugin lists.
fn definition(parameter: Parameter) -> ParamDef {
    let count: usize = parameter.dims.iter().product();
    let (init, fans) = match parameter.init {
        ParameterInit::Constant(value) => (FirstValues::Constant(value), (count, count)),
        ParameterInit::Uniform(low, high) => (FirstValues::Uniform(low, high), (count, count)),
        ParameterInit::Normal { mean, std } => (FirstValues::Normal { mean, std }, (count, count)),
        ParameterInit::Weight { fan_in, fan_out } => (FirstValues::Weight, (fan_in, fan_out)),
    };
    ParamDef {
        name: parameter.name.into(),
        dims: parameter.dims,
        // Weight decay goes by it.
        role: if parameter.weight_decay { Role::Weight } else { Role::Bias },
        layout: Layout::Plain,
        fans,
        init: Some(init),
    }
}
