//! The machine that runs a pickle: a stack, a memo, and nothing that could do harm.
//!
//! Instructions are those of protocols 2 to 5, see Python's `pickletools`.

use super::objects::{Global, Heap, Object, Value};
use crate::weights::error::{Fault, invalid};
use std::collections::HashMap;
use std::io::Read;
use std::rc::Rc;

/// The most instructions that are run: a state dict takes about 30 a tensor. It bounds the stack,
/// the heap and the memo as well, since an instruction makes at most one value.
const MAX_INSTRUCTIONS: usize = 2_000_000;

/// The longest text; the longest names of tensors have about a hundred bytes.
const MAX_TEXT: u64 = 64 << 10;

/// The most bytes of all texts together.
const MAX_TEXTS: u64 = 64 << 20;

/// Runs one pickle from where `input` stands up to its STOP; gives the value that it leaves.
pub fn run(input: &mut impl Read) -> Result<(Heap, Value), Fault> {
    let mut machine =
        Machine { input, heap: Heap::default(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new(), texts: 0 };
    for _ in 0..MAX_INSTRUCTIONS {
        let instruction = machine.byte()?;
        if instruction == b'.' {
            let value = machine.pop()?;
            return Ok((machine.heap, value));
        }
        machine.step(instruction)?;
    }
    invalid(format!("the pickle has more than {MAX_INSTRUCTIONS} instructions"))
}

struct Machine<'a, R> {
    input: &'a mut R,
    heap: Heap,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    texts: u64,
}

impl<R: Read> Machine<'_, R> {
    fn step(&mut self, instruction: u8) -> Result<(), Fault> {
        match instruction {
            0x80 => {
                self.byte()?;
            }
            0x95 => {
                self.bytes::<8>()?;
            }
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                self.pop()?;
            }
            b'1' => {
                self.pop_mark()?;
            }
            b'2' => {
                let top = self.top()?.clone();
                self.stack.push(top);
            }
            b'N' => self.stack.push(Value::None),
            0x88 | 0x89 => self.stack.push(Value::Bool(instruction == 0x88)),
            b'K' | b'M' | b'J' | 0x8a => self.integer(instruction)?,
            b'G' => {
                self.bytes::<8>()?;
                self.stack.push(Value::Float);
            }
            b'X' | b'T' | b'U' | 0x8c => self.text(instruction)?,
            b'B' | b'C' => self.byte_string(instruction)?,
            b')' | b']' | b'}' | b't' | b'l' | b'd' | 0x85..=0x87 => self.collection(instruction)?,
            b'a' | b'e' | b's' | b'u' => self.fill(instruction)?,
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.memo(instruction)?,
            b'c' | 0x93 => self.global(instruction)?,
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            b'Q' => {
                let id = self.pop()?;
                let storage = self.heap.storage(&id)?;
                self.stack.push(storage);
            }
            _ => return invalid(format!("the pickle has an instruction that no state dict needs: {instruction:#04x}")),
        }
        Ok(())
    }

    fn integer(&mut self, instruction: u8) -> Result<(), Fault> {
        let value = match instruction {
            b'K' => i128::from(self.byte()?),
            b'M' => i128::from(u16::from_le_bytes(self.bytes()?)),
            b'J' => i128::from(i32::from_le_bytes(self.bytes()?)),
            _ => self.long()?,
        };
        self.stack.push(Value::Int(value));
        Ok(())
    }

    /// LONG1: a length, then as many bytes in two's complement.
    fn long(&mut self) -> Result<i128, Fault> {
        let len = usize::from(self.byte()?);
        if len > 16 {
            return invalid(format!("the pickle has an integer of {len} bytes"));
        }
        let mut low_first = [0; 16];
        for byte in low_first.iter_mut().take(len) {
            *byte = self.byte()?;
        }
        let unused = 128 - 8 * len as u32;
        Ok(i128::from_le_bytes(low_first).checked_shl(unused).unwrap_or(0).checked_shr(unused).unwrap_or(0))
    }

    fn text(&mut self, instruction: u8) -> Result<(), Fault> {
        let len = match instruction {
            b'U' | 0x8c => u32::from(self.byte()?),
            _ => u32::from_le_bytes(self.bytes()?),
        };
        let text = self.take(u64::from(len))?;
        match String::from_utf8(text) {
            Ok(text) => self.stack.push(Value::Text(text.into())),
            // A byte string of Python 2 that is no text.
            Err(_) if matches!(instruction, b'T' | b'U') => self.stack.push(Value::Bytes),
            Err(_) => return invalid("the pickle has a text that is not UTF-8"),
        }
        Ok(())
    }

    fn byte_string(&mut self, instruction: u8) -> Result<(), Fault> {
        let len = if instruction == b'C' { u32::from(self.byte()?) } else { u32::from_le_bytes(self.bytes()?) };
        self.take(u64::from(len))?;
        self.stack.push(Value::Bytes);
        Ok(())
    }

    fn collection(&mut self, instruction: u8) -> Result<(), Fault> {
        let object = match instruction {
            b')' => Object::Tuple(Vec::new()),
            b']' => Object::List(Vec::new()),
            b'}' => Object::Dict(Vec::new()),
            b't' => Object::Tuple(self.pop_mark()?),
            b'l' => Object::List(self.pop_mark()?),
            b'd' => Object::Dict(pairs(self.pop_mark()?)?),
            _ => {
                let mut items = (0x84..instruction).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
                items.reverse();
                Object::Tuple(items)
            }
        };
        let value = self.heap.put(object);
        self.stack.push(value);
        Ok(())
    }

    /// APPEND, APPENDS, SETITEM, SETITEMS: moves values from the stack into the collection below.
    fn fill(&mut self, instruction: u8) -> Result<(), Fault> {
        let items = match instruction {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.pop_mark()?,
        };
        let target = self.top()?.clone();
        match self.heap.get_mut(&target) {
            Some(Object::List(list)) if matches!(instruction, b'a' | b'e') => list.extend(items),
            Some(Object::Dict(dict)) if matches!(instruction, b's' | b'u') => dict.extend(pairs(items)?),
            _ => return invalid("the pickle is broken: it fills something that is no list or dict"),
        }
        Ok(())
    }

    fn memo(&mut self, instruction: u8) -> Result<(), Fault> {
        let place = match instruction {
            b'q' | b'h' => u32::from(self.byte()?),
            b'r' | b'j' => u32::from_le_bytes(self.bytes()?),
            _ => self.memo.len() as u32,
        };
        if matches!(instruction, b'h' | b'j') {
            let Some(value) = self.memo.get(&place) else {
                return invalid(format!("the pickle is broken: it recalls memo {place}, which was never stored"));
            };
            self.stack.push(value.clone());
        } else {
            let top = self.top()?.clone();
            self.memo.insert(place, top);
        }
        Ok(())
    }

    fn global(&mut self, instruction: u8) -> Result<(), Fault> {
        let (module, name) = if instruction == b'c' {
            (self.line()?, self.line()?)
        } else {
            match (self.pop()?, self.pop()?) {
                (Value::Text(name), Value::Text(module)) => (module, name),
                _ => return invalid("the pickle is broken: a name that is no text"),
            }
        };
        self.stack.push(Value::Global(Global::named(&module, &name)?));
        Ok(())
    }

    fn reduce(&mut self) -> Result<(), Fault> {
        let arguments = self.pop()?;
        let Value::Global(global) = self.pop()? else {
            return invalid("the pickle is broken: it calls something that cannot be called");
        };
        let value = self.heap.call(global, &arguments)?;
        self.stack.push(value);
        Ok(())
    }

    /// BUILD: attributes of an object. A state dict has one, `_metadata`, which says nothing of use.
    fn build(&mut self) -> Result<(), Fault> {
        self.pop()?;
        match self.heap.get(self.top()?) {
            Some(Object::Dict(_)) => Ok(()),
            _ => invalid("the pickle sets attributes of something that is no dict"),
        }
    }

    fn pop(&mut self) -> Result<Value, Fault> {
        // What lies below the last mark is not for the taking.
        if self.stack.len() <= self.marks.last().copied().unwrap_or(0) {
            return invalid("the pickle is broken: it takes a value that is not there");
        }
        self.stack.pop().map_or_else(|| invalid("the pickle is broken: its stack is empty"), Ok)
    }

    fn top(&self) -> Result<&Value, Fault> {
        self.stack.last().map_or_else(|| invalid("the pickle is broken: its stack is empty"), Ok)
    }

    fn pop_mark(&mut self) -> Result<Vec<Value>, Fault> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.split_off(mark)),
            _ => invalid("the pickle is broken: it looks for a mark that is not there"),
        }
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        Ok(u8::from_le_bytes(self.bytes()?))
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn take(&mut self, len: u64) -> Result<Vec<u8>, Fault> {
        self.texts += len;
        if len > MAX_TEXT || self.texts > MAX_TEXTS {
            return invalid(format!("the pickle claims a text of {len} bytes"));
        }
        let mut bytes = Vec::new();
        (&mut *self.input).take(len).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == len {
            Ok(bytes)
        } else {
            Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into())
        }
    }

    fn line(&mut self) -> Result<Rc<str>, Fault> {
        let mut line = Vec::new();
        loop {
            match self.byte()? {
                b'\n' => break,
                _ if line.len() as u64 >= MAX_TEXT => return invalid("the pickle has a name without an end"),
                byte => line.push(byte),
            }
        }
        match String::from_utf8(line) {
            Ok(line) => Ok(line.into()),
            Err(_) => invalid("the pickle has a name that is not UTF-8"),
        }
    }
}

fn pairs(items: Vec<Value>) -> Result<Vec<(Value, Value)>, Fault> {
    if items.len() % 2 == 1 {
        return invalid("the pickle is broken: a key without a value");
    }
    let mut items = items.into_iter();
    Ok(std::iter::from_fn(|| items.next().zip(items.next())).collect())
}
