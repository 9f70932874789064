//! Makes nonsense of specs that make sense.

use runner::random::{Key, Purpose, Stream};
use serde_yaml::Value;
use std::collections::BTreeSet;

/// What YAML, numbers and texts are harmed by.
const PIECES: &[&str] = &[
    "&a ",
    "*a",
    "<<: *a",
    "!!binary ",
    "!x ",
    "|",
    ">-",
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "? ",
    "---",
    "...",
    "\t",
    "\u{feff}",
    "\0",
    "\u{85}",
    "\u{2028}",
    "#",
    "\"",
    "'",
    "%",
    "@",
    "`",
    ",",
    "\r\n",
    "\r",
    "é",
    "😀",
    "null",
    "~",
    "true",
    "99999999999999999999",
    "18446744073709551615",
    "-9223372036854775808",
    "-1",
    "0",
    "1e400",
    "-0.0",
    ".nan",
    ".inf",
    "0x7fffffff",
    "0o17",
    "1_000",
    "4096",
    "1e-320",
    "re:(a+)+$",
    "re:[",
    "*",
    "..",
    "/",
    "blocks.0-99999999",
    "-2",
    "classes",
    "x: &x [*x, *x]",
];

/// Numbers and texts at the ends of what is possible.
fn extreme(random: &mut Stream) -> Value {
    const TEXTS: [&str; 9] = ["", "*", "re:(", "re:(x*)*$", "classes", "a.b", "0", "\u{0}", "head"];
    let floats = [f64::NAN, f64::INFINITY, -0.0, 1e308, -1e308, 5e-324, 0.5, -0.5];
    let whole = [0, 1, 2, -1, 3, 4096, 4097, i64::MAX, i64::MIN, 1 << 31, 1 << 40];
    match random.below(8) {
        0 => Value::Null,
        1 => Value::Bool(random.chance(0.5)),
        2 => Value::from(floats[random.below(floats.len())]),
        3 | 4 => Value::from(whole[random.below(whole.len())]),
        5 => Value::from(u64::MAX),
        6 => Value::Sequence(Vec::new()),
        _ => Value::from(TEXTS[random.below(TEXTS.len())]),
    }
}

/// Makes case after case, each a function of the seed and its number.
pub struct Mutator {
    seeds: Vec<String>,
    values: Vec<Value>,
    /// Words that mean something in a spec: keys, and names of things.
    words: Vec<String>,
    key: Key,
}

impl Mutator {
    pub fn new(seeds: &[String], seed: u64) -> Self {
        let values = seeds.iter().filter_map(|text| serde_yaml::from_str(text).ok()).collect();
        let mut words = BTreeSet::new();
        gather(runner::spec::schema().as_value(), &mut words);
        let words = words.into_iter().collect();
        Mutator { seeds: seeds.to_vec(), values, words, key: Key::new(seed, Purpose::Check).named("fuzz") }
    }

    pub fn case(&self, number: u64) -> String {
        let random = &mut self.key.with(number).stream();
        let of_values = random.chance(0.6);
        let mut text =
            if of_values { self.of_values(random) } else { self.seeds[random.below(self.seeds.len())].clone() };
        let rounds = match random.below(10) {
            0..7 if of_values => 0,
            0..5 => random.below(2),
            _ => random.below(6),
        };
        for _ in 0..rounds {
            text = self.of_text(&text, random);
        }
        text
    }

    /// A spec some of whose values are others.
    fn of_values(&self, random: &mut Stream) -> String {
        let mut value = self.values[random.below(self.values.len())].clone();
        for _ in 0..=random.below(3) {
            let nodes = count(&value);
            let at = random.below(nodes);
            let donor = &self.values[random.below(self.values.len())];
            let taken = nth(donor, &mut random.below(count(donor))).cloned().unwrap_or_default();
            let new = if random.chance(0.4) { taken } else { extreme(random) };
            let word = self.words[random.below(self.words.len())].clone();
            change(&mut value, &mut { at }, random, &new, &word);
        }
        serde_yaml::to_string(&value).unwrap_or_default()
    }

    /// A text some of whose characters or lines are others.
    fn of_text(&self, text: &str, random: &mut Stream) -> String {
        let mut lines: Vec<&str> = text.split('\n').collect();
        let line = random.below(lines.len());
        match random.below(9) {
            0 => drop(lines.remove(line)),
            1 => {
                let times = if random.chance(0.1) { 2000 } else { 1 };
                (0..times).for_each(|_| lines.insert(line, lines[line]));
            }
            2 => {
                let other = random.below(lines.len());
                lines.swap(line, other);
            }
            3 => {
                let (part, other) = (lines.split_off(line), &self.seeds[random.below(self.seeds.len())]);
                drop(part);
                let other: Vec<&str> = other.split('\n').collect();
                let from = random.below(other.len());
                lines.extend(&other[from..]);
            }
            4 => {
                let indented = format!("{}{}", " ".repeat(random.below(4)), lines[line].trim_start());
                lines[line] = &indented;
                return lines.join("\n");
            }
            5 => {
                let (open, close) = [("[", "]"), ("{a: ", "}"), ("- ", "")][random.below(3)];
                let depth = [3, 70, 3000][random.below(3)];
                let nested = format!("{} {}{}", lines[line], open.repeat(depth), close.repeat(depth));
                lines[line] = &nested;
                return lines.join("\n");
            }
            _ => return in_a_place(text, random),
        }
        lines.join("\n")
    }
}

/// A few characters taken out, a piece put in their place.
fn in_a_place(text: &str, random: &mut Stream) -> String {
    let places: Vec<usize> = text.char_indices().map(|(place, _)| place).chain([text.len()]).collect();
    let from = random.below(places.len());
    let to = (from + random.below(4)).min(places.len() - 1);
    let piece = if random.chance(0.8) { PIECES[random.below(PIECES.len())] } else { "" };
    format!("{}{piece}{}", &text[..places[from]], &text[places[to]..])
}

/// How many values there are in a value, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Sequence(list) => list.iter().map(count).sum(),
        Value::Mapping(map) => map.values().map(count).sum(),
        _ => 0,
    }
}

/// The value of this number, counted from the top.
fn nth<'a>(value: &'a Value, left: &mut usize) -> Option<&'a Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Sequence(list) => list.iter().find_map(|value| nth(value, left)),
        Value::Mapping(map) => map.values().find_map(|value| nth(value, left)),
        _ => None,
    }
}

/// Changes the value of this number: another in its place, a number near it, its entries fewer, more or
/// renamed.
fn change(value: &mut Value, left: &mut usize, random: &mut Stream, new: &Value, word: &str) -> bool {
    if *left == 0 {
        change_here(value, random, new, word);
        return true;
    }
    *left -= 1;
    match value {
        Value::Sequence(list) => list.iter_mut().any(|value| change(value, left, random, new, word)),
        Value::Mapping(map) => map.values_mut().any(|value| change(value, left, random, new, word)),
        _ => false,
    }
}

fn change_here(value: &mut Value, random: &mut Stream, new: &Value, word: &str) {
    match value {
        Value::Mapping(map) if random.chance(0.8) => {
            let key = map.keys().nth(random.below(map.len().max(1))).cloned().unwrap_or_default();
            match random.below(4) {
                0 => drop(map.remove(&key)),
                1 => drop(map.insert(key, new.clone())),
                2 => drop(map.insert(Value::from(word), new.clone())),
                _ => {
                    let taken = map.remove(&key).unwrap_or_default();
                    map.insert(Value::from(word), taken);
                }
            }
        }
        Value::Sequence(list) if random.chance(0.8) => {
            let place = random.below(list.len().max(1));
            match random.below(4) {
                0 if !list.is_empty() => drop(list.remove(place)),
                1 if !list.is_empty() => {
                    let times = if random.chance(0.1) { 300 } else { 1 };
                    list.extend(std::iter::repeat_n(list[place].clone(), times));
                }
                2 if !list.is_empty() => {
                    let other = random.below(list.len());
                    list.swap(place, other);
                }
                _ => list.insert(place.min(list.len()), new.clone()),
            }
        }
        Value::Number(number) if random.chance(0.6) => {
            let number = number.as_f64().unwrap_or_default();
            let near = [number + 1.0, number - 1.0, number * 2.0, number / 2.0, -number, number * 1000.0];
            let near = near[random.below(near.len())];
            let whole = near.fract() == 0.0 && near.abs() < 1e15;
            *value = if whole { Value::from(near as i64) } else { Value::from(near) };
        }
        Value::String(_) if random.chance(0.5) => *value = Value::from(word),
        other => *other = new.clone(),
    }
}

/// The keys of a schema, and the words that it takes.
fn gather(schema: &serde_json::Value, words: &mut BTreeSet<String>) {
    match schema {
        serde_json::Value::Array(list) => list.iter().for_each(|part| gather(part, words)),
        serde_json::Value::Object(map) => {
            let properties = map.get("properties").and_then(|properties| properties.as_object());
            words.extend(properties.into_iter().flat_map(|properties| properties.keys().cloned()));
            words.extend(map.get("const").and_then(|word| word.as_str()).map(str::to_owned));
            map.values().for_each(|part| gather(part, words));
        }
        _ => {}
    }
}
