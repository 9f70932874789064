//! A kind of layer that a plugin brings.

use super::host;
use super::schema::Arguments;
use runner_plugin_abi as abi;

/// A kind of layer that a plugin brings: what is known of it before it is created.
#[derive(Debug)]
pub struct Kind {
    plugin: String,
    name: String,
    documentation: String,
    arguments: Arguments,
    pub(super) functions: Functions,
    flags: u64,
    on_gpu: bool,
    inputs: [usize; 2],
}

/// Whether a layer can be called so: small letters, digits and `_`, a letter first.
pub fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(fits)
}

/// The functions of a layer. Those that must be there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Functions {
    pub create: abi::CreateFn,
    pub destroy: Option<abi::DestroyFn>,
    pub output_shape: abi::OutputShapeFn,
    pub parameters: Option<abi::ParametersFn>,
    pub scratch_bytes: Option<abi::ScratchBytesFn>,
    pub multiply_adds: Option<abi::MultiplyAddsFn>,
    pub forward: abi::ForwardFn,
    pub backward: abi::BackwardFn,
}

impl Kind {
    /// Reads the table of a layer, or says what is wrong with it. `minor` is that of the interface which its plugin is
    /// made for.
    ///
    /// # Safety
    /// The texts end in zero bytes, and the functions are those of a library that is never closed.
    pub(super) unsafe fn read(plugin: &str, minor: u32, layer: abi::Layer) -> Result<Self, String> {
        // SAFETY: as the caller says.
        let (name, documentation, schema) =
            unsafe { (host::owned(layer.name), host::owned(layer.documentation), host::owned(layer.schema)) };
        let name = name.ok_or("it has no name")?;
        if !is_name(&name) {
            return Err(format!("it cannot be called `{name}`: small letters, digits and `_` make a name"));
        }
        let schema = schema.ok_or_else(|| format!("`{name}` has no schema of its arguments"))?;
        let arguments = Arguments::new(&schema).map_err(|reason| format!("the schema of `{name}`: {reason}"))?;
        let lacks = |function: &str| format!("`{name}` lacks the function `{function}`");
        let functions = Functions {
            create: layer.create.ok_or_else(|| lacks("create"))?,
            destroy: layer.destroy,
            output_shape: layer.output_shape.ok_or_else(|| lacks("output_shape"))?,
            parameters: layer.parameters,
            scratch_bytes: layer.scratch_bytes,
            multiply_adds: layer.multiply_adds,
            forward: layer.forward.ok_or_else(|| lacks("forward"))?,
            backward: layer.backward.ok_or_else(|| lacks("backward"))?,
        };
        let inputs = [layer.min_inputs, layer.max_inputs];
        if inputs[0] == 0 || inputs[1] < inputs[0] {
            return Err(format!("`{name}` takes from {} to {} inputs", inputs[0], inputs[1]));
        }
        if layer.devices & abi::DEVICE_CPU == 0 {
            return Err(format!("`{name}` does not take tensors of the CPU"));
        }
        // Before, the bit was there and meant nothing.
        let on_gpu = minor >= abi::ABI_MINOR_OF_GPUS && layer.devices & abi::DEVICE_CUDA != 0;
        let (plugin, documentation, flags) = (plugin.to_owned(), documentation.unwrap_or_default(), layer.flags);
        Ok(Kind { plugin, name, documentation, arguments, functions, flags, on_gpu, inputs })
    }

    /// The name of the plugin that brings it.
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// The layer's name, as pipelines write it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does, for a person.
    pub fn documentation(&self) -> &str {
        &self.documentation
    }

    /// What it takes as arguments.
    pub fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// The fewest inputs and the most.
    pub fn inputs(&self) -> [usize; 2] {
        self.inputs
    }

    /// An error, in words, if it does not take so many inputs.
    pub fn takes(&self, inputs: usize) -> Result<(), String> {
        let [fewest, most] = self.inputs;
        if (fewest..=most).contains(&inputs) {
            return Ok(());
        }
        let count = if fewest == most { format!("{fewest}") } else { format!("{fewest} to {most}") };
        let plural = if most == 1 { "" } else { "s" };
        Err(format!("takes {count} input{plural}, not {inputs}"))
    }

    /// Whether it takes tensors in memory of a GPU, besides those of the host.
    pub fn takes_gpu_tensors(&self) -> bool {
        self.on_gpu
    }

    /// Whether it works on a GPU's memory where the net is on one. A guard reads the memory, and so has it on the host.
    pub fn works_on_gpu(&self, guard: bool) -> bool {
        self.on_gpu && !guard
    }

    /// Whether it has parameters.
    pub fn has_parameters(&self) -> bool {
        self.has(abi::LAYER_PARAMETERS)
    }

    /// Whether it differs between training and evaluation.
    pub fn has_modes(&self) -> bool {
        self.has(abi::LAYER_MODES)
    }

    /// Whether it draws random numbers in training.
    pub fn is_random(&self) -> bool {
        self.has(abi::LAYER_RANDOM)
    }

    /// Whether one instance may be used by several threads at once.
    pub fn is_thread_safe(&self) -> bool {
        self.has(abi::LAYER_THREAD_SAFE)
    }

    /// Whether backward reads the values of the inputs.
    pub fn keeps_inputs(&self) -> bool {
        !self.has(abi::LAYER_FORGETS_INPUTS)
    }

    /// Whether backward reads the values of the output.
    pub fn keeps_output(&self) -> bool {
        !self.has(abi::LAYER_FORGETS_OUTPUT)
    }

    fn has(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }
}

/// A kind is the one that its functions are.
impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}
