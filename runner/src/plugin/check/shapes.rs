//! What the layer says of the shapes of inputs, output and parameters.

use super::case::{Case, shape};
use super::tensor::key;
use super::{Bench, Checked, Failure, Outcome};
use crate::plugin::{Instance, PluginError};
use serde_json::Value;
use std::sync::Arc;

/// The most values of an input or an output that are tried.
const MAX_VALUES: usize = 1 << 26;

/// Asks for the output's shape and the parameters over inputs of all shapes. Those that the layer
/// takes become the cases of the other checks; some must be.
pub fn check(bench: &mut Bench) -> Checked {
    let mut asked = 0;
    for arguments in &bench.arguments {
        let instance = Arc::new(Instance::create(&bench.kind, arguments)?);
        let mut refusal = None;
        let before = bench.cases.len();
        for candidates in candidates(bench) {
            for inputs in candidates {
                asked += 1;
                let with = || format!("arguments {arguments}, input {}", list(&inputs));
                match case(&instance, arguments, &inputs) {
                    Ok(Some(case)) => bench.cases.push(case),
                    Ok(None) => {}
                    Err(Refused::ByLayer(error)) => refusal = Some(error),
                    Err(Refused::Wrong(failure)) => return Err(failure.with(with)),
                }
            }
            // Inputs of unlike shapes are only tried on layers that take no equal ones.
            if bench.cases.len() > before {
                break;
            }
        }
        if bench.cases.len() == before {
            let said = refusal.map(|error| format!(": {}", error.fault())).unwrap_or_default();
            let what = format!("takes no shape that was tried: give one with --input HxWxC, or --input F{said}");
            return Err(Failure::last(what).with(|| format!("arguments {arguments}")));
        }
    }
    Ok(Outcome::Fine(format!("{} of {asked} taken", bench.cases.len())))
}

enum Refused {
    /// The layer does not take such inputs.
    ByLayer(PluginError),
    Wrong(Failure),
}

impl From<PluginError> for Refused {
    fn from(error: PluginError) -> Self {
        if error.is_refusal() { Refused::ByLayer(error) } else { Refused::Wrong(error.into()) }
    }
}

/// The case of a layer over inputs of these shapes; none where it would be too large to try.
fn case(instance: &Arc<Instance>, arguments: &Value, inputs: &[Vec<usize>]) -> Result<Option<Case>, Refused> {
    let output = instance.output_shape(inputs)?;
    let again = instance.output_shape(inputs)?;
    if output != again {
        let what = format!("`output_shape` gave {}, and then {}", shape(&output), shape(&again));
        return Err(Refused::Wrong(Failure::last(what)));
    }
    // A layer that takes these inputs has no reason to refuse from here on.
    let wrong = |error: PluginError| Refused::Wrong(error.into());
    let parameters = instance.parameters(inputs).map_err(wrong)?;
    if parameters != instance.parameters(inputs).map_err(wrong)? {
        return Err(Refused::Wrong(Failure::last("`parameters` gave other parameters when asked again")));
    }
    if instance.kind().has_parameters() && parameters.is_empty() {
        let what = "PARAMETERS is among its flags, and yet it lists none";
        return Err(Refused::Wrong(Failure::new(what)));
    }
    let values = output.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim));
    if values.is_none_or(|values| values > MAX_VALUES) {
        return Ok(None);
    }
    let (arguments, inputs) = (arguments.clone(), inputs.to_vec());
    Ok(Some(Case { arguments, instance: instance.clone(), inputs, output, parameters }))
}

/// Shapes of inputs: those that are given, or first equal ones for each number of inputs, then others.
fn candidates(bench: &Bench) -> Vec<Vec<Vec<Vec<usize>>>> {
    if !bench.inputs.is_empty() {
        return vec![bench.inputs.clone()];
    }
    let [fewest, most] = bench.kind.inputs();
    let counts = if most > fewest { vec![fewest, fewest + 1] } else { vec![fewest] };
    let equal = |count: usize| shapes().into_iter().map(move |dims| vec![dims; count]);
    let gated = |count: usize| {
        let images = shapes().into_iter().filter(|dims| dims.len() == 3);
        images.map(move |image| {
            let channels = image.last().copied().into_iter().collect();
            let mut inputs = vec![channels; count];
            inputs.splice(..1, [image]);
            inputs
        })
    };
    let unlike = counts.iter().filter(|&&count| count > 1).flat_map(|&count| gated(count)).collect();
    vec![counts.iter().flat_map(|&count| equal(count)).collect(), unlike]
}

/// Shapes of one sample: some that are chosen, with odd sizes and single places, and some at random.
fn shapes() -> Vec<Vec<usize>> {
    let mut shapes = vec![vec![8, 8, 4], vec![7, 5, 3], vec![1, 1, 2], vec![4, 4, 16], vec![12], vec![1]];
    let mut stream = key("shapes").stream();
    let mut dim = |below: usize| 1 + stream.below(below);
    for _ in 0..2 {
        shapes.push(vec![dim(9), dim(9), dim(7)]);
    }
    shapes.push(vec![dim(30)]);
    shapes
}

fn list(inputs: &[Vec<usize>]) -> String {
    inputs.iter().map(|dims| shape(dims)).collect::<Vec<_>>().join(", ")
}
