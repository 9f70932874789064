//! What the tests of this module share: files in all formats, and nets to hold them against.

use crate::layers::{Layout, ParamDef, Relu, Role, Shape};
use crate::net::{Builder, Graph, Node, Origin, Param, Stage};
use std::io::Write;
use std::path::PathBuf;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Writes the instructions of a pickle.
#[derive(Default, Clone)]
pub struct Pickle(pub Vec<u8>);

impl Pickle {
    pub fn new() -> Self {
        Pickle(vec![0x80, 2])
    }

    pub fn op(mut self, op: u8) -> Self {
        self.0.push(op);
        self
    }

    pub fn text(mut self, text: &str) -> Self {
        self.0.push(b'X');
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text.as_bytes());
        self
    }

    pub fn int(mut self, value: i32) -> Self {
        self.0.push(b'J');
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn global(mut self, module: &str, name: &str) -> Self {
        self.0.extend(format!("c{module}\n{name}\n").as_bytes());
        self
    }

    pub fn ints(mut self, values: &[usize]) -> Self {
        self = self.op(b'(');
        for &value in values {
            self = self.int(value as i32);
        }
        self.op(b't')
    }

    pub fn ordered_dict(self) -> Self {
        self.global("collections", "OrderedDict").op(b')').op(b'R')
    }
}

/// A tensor as torch would save it.
#[derive(Clone)]
pub struct Saved {
    pub name: &'static str,
    pub kind: &'static str,
    pub bytes: Vec<u8>,
    pub count: usize,
    pub offset: usize,
    pub dims: Vec<usize>,
    pub strides: Vec<usize>,
    pub parameter: bool,
}

impl Saved {
    pub fn floats(name: &'static str, dims: &[usize], values: &[f32]) -> Saved {
        let mut strides = vec![1; dims.len()];
        for i in (1..dims.len()).rev() {
            strides[i - 1] = strides[i] * dims[i];
        }
        Saved {
            name,
            kind: "FloatStorage",
            bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            count: values.len(),
            offset: 0,
            dims: dims.to_vec(),
            strides,
            parameter: false,
        }
    }
}

/// The pickle of a state dict; storage keys are places in `tensors`.
pub fn state_dict(tensors: &[Saved], wrapper: Option<&str>, legacy: bool) -> Vec<u8> {
    let mut pickle = Pickle::new();
    if let Some(wrapper) = wrapper {
        pickle = pickle.op(b'}').text("epoch").int(5).op(b's').text(wrapper);
    }
    pickle = pickle.ordered_dict().op(b'(');
    for (key, tensor) in tensors.iter().enumerate() {
        pickle = pickle.text(tensor.name);
        if tensor.parameter {
            pickle = pickle.global("torch._utils", "_rebuild_parameter").op(b'(');
        }
        pickle = pickle.global("torch._utils", "_rebuild_tensor_v2").op(b'(');
        pickle = pickle.op(b'(').text("storage").global("torch", tensor.kind).text(&key.to_string()).text("cpu");
        pickle = pickle.int(tensor.count as i32);
        pickle = if legacy { pickle.op(b'N') } else { pickle };
        pickle = pickle.op(b't').op(b'Q').int(tensor.offset as i32).ints(&tensor.dims).ints(&tensor.strides);
        pickle = pickle.op(0x89).ordered_dict().op(b't').op(b'R');
        if tensor.parameter {
            pickle = pickle.op(0x88).ordered_dict().op(b't').op(b'R');
        }
    }
    // What torch keeps beside a state dict.
    pickle = pickle.op(b'u').op(b'}').text("_metadata").ordered_dict().op(b's').op(b'b');
    if wrapper.is_some() {
        pickle = pickle.op(b's');
    }
    pickle.op(b'.').0
}

/// A file in torch's legacy format around a pickle.
pub fn legacy_file(pickle: &[u8], tensors: &[Saved]) -> Vec<u8> {
    let mut file = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.".to_vec();
    file.extend(Pickle::new().op(b'}').text("little_endian").op(0x88).op(b's').op(b'.').0);
    file.extend(pickle);
    let keys = (0..tensors.len()).fold(Pickle::new().op(b']').op(b'('), |keys, key| keys.text(&key.to_string()));
    file.extend(keys.op(b'e').op(b'.').0);
    for tensor in tensors {
        file.extend((tensor.count as u64).to_le_bytes());
        file.extend(&tensor.bytes);
    }
    file
}

/// A file in torch's zip format around a pickle.
pub fn zip_file(pickle: &[u8], tensors: &[Saved], method: CompressionMethod) -> Vec<u8> {
    let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    let mut add = |name: String, bytes: &[u8]| {
        archive.start_file(name, options).unwrap();
        archive.write_all(bytes).unwrap();
    };
    add("net/data.pkl".into(), pickle);
    add("net/byteorder".into(), b"little");
    for (key, tensor) in tensors.iter().enumerate() {
        add(format!("net/data/{key}"), &tensor.bytes);
    }
    archive.finish().unwrap().into_inner()
}

/// A safetensors file from a header as it stands and bytes as they stand.
pub fn safetensors_file(header: &str, values: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), values].concat()
}

/// Writes bytes where a test may find them.
pub fn on_disk(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// A net that has these parameters: name and shape in memory. Names up to the last dot are nodes,
/// and those that begin with `head.` are the head.
pub fn graph(params: &[(&str, &[usize])]) -> Graph {
    let mut graph = Builder::new(Shape::Features(1)).finish();
    graph.stages = ["backbone", "head"].map(|name| Stage { name: name.into(), nodes: 0..0 }).into();
    for (id, (name, dims)) in params.iter().enumerate() {
        let (node, tensor) = name.rsplit_once('.').unwrap();
        if graph.nodes.last().is_none_or(|last: &Node| last.name != node) {
            graph.nodes.push(Node {
                name: node.into(),
                layer: Relu::default().into(),
                inputs: Vec::new(),
                output: Shape::Features(1),
                multiply_adds: 0,
                params: id..id,
                stage: usize::from(node.starts_with("head.")),
                origin: Origin::default(),
            });
        }
        graph.nodes.last_mut().unwrap().params.end = id + 1;
        graph.params.push(Param { name: (*name).into(), def: def(tensor, dims), node: graph.nodes.len() - 1 });
    }
    graph
}

fn def(tensor: &str, dims: &[usize]) -> ParamDef {
    let (name, role) = match tensor {
        "weight" if dims.len() > 1 => ("weight", Role::Weight),
        "weight" => ("weight", Role::Scale),
        "bias" => ("bias", Role::Bias),
        "running_mean" => ("running_mean", Role::RunningMean),
        "running_var" => ("running_var", Role::RunningVariance),
        other => panic!("{other}"),
    };
    let layout = match dims.len() {
        4 => Layout::Conv,
        2 => Layout::Linear,
        _ => Layout::Plain,
    };
    ParamDef { role, ..ParamDef::weight(name, dims.to_vec(), layout, (1, 1)) }
}
