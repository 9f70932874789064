//! Which entries of a list are which entries of another.

use serde_yaml::Value;

/// An entry of one list, and what it is in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// It is in both.
    Both(usize, usize),
    /// The first list alone has it.
    Old(usize),
    /// The second list alone has it.
    New(usize),
}

/// What it costs that a list lacks an entry of the other. Less than two of different kinds, so that
/// one put in between stays one; more than nothing, so that as many as possible are the same.
const ALONE: u32 = 2;

/// Lists of which more pairs of entries would have to be compared are paired by place.
const MOST: usize = 1 << 20;

/// The entries of two lists, those that are the same in both found as Wagner and Fischer (1974) find
/// them: with the least cost of what differs.
pub fn align(old: &[Value], new: &[Value]) -> Vec<Pair> {
    let begin = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (&old[begin..], &new[begin..]);
    let end = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(old, new)| old == new).count();
    let old_middle = &old_rest[..old_rest.len() - end];
    let new_middle = &new_rest[..new_rest.len() - end];

    let mut pairs: Vec<Pair> = (0..begin).map(|place| Pair::Both(place, place)).collect();
    pairs.extend(middle(old_middle, new_middle).into_iter().map(|pair| match pair {
        Pair::Both(i, j) => Pair::Both(begin + i, begin + j),
        Pair::Old(i) => Pair::Old(begin + i),
        Pair::New(j) => Pair::New(begin + j),
    }));
    let ends = (old.len() - end..old.len()).zip(new.len() - end..);
    pairs.extend(ends.map(|(i, j)| Pair::Both(i, j)));
    pairs
}

fn middle(old: &[Value], new: &[Value]) -> Vec<Pair> {
    if old.len().saturating_mul(new.len()) > MOST {
        return by_place(old.len(), new.len());
    }
    let width = new.len() + 1;
    // From each pair of places to the ends: the least cost.
    let mut least = vec![0; (old.len() + 1) * width];
    for i in (0..=old.len()).rev() {
        for j in (0..=new.len()).rev() {
            let (left, right) = ((old.len() - i) as u32, (new.len() - j) as u32);
            least[i * width + j] = if left == 0 || right == 0 {
                (left + right) * ALONE
            } else {
                let both = least[(i + 1) * width + j + 1] + cost(&old[i], &new[j]);
                both.min(least[(i + 1) * width + j] + ALONE).min(least[i * width + j + 1] + ALONE)
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < old.len() && j < new.len() {
        let here = least[i * width + j];
        if here == least[(i + 1) * width + j + 1] + cost(&old[i], &new[j]) {
            pairs.push(Pair::Both(i, j));
            (i, j) = (i + 1, j + 1);
        } else if here == least[(i + 1) * width + j] + ALONE {
            pairs.push(Pair::Old(i));
            i += 1;
        } else {
            pairs.push(Pair::New(j));
            j += 1;
        }
    }
    pairs.extend((i..old.len()).map(Pair::Old));
    pairs.extend((j..new.len()).map(Pair::New));
    pairs
}

fn by_place(old: usize, new: usize) -> Vec<Pair> {
    let pair = |place| match (place < old, place < new) {
        (true, true) => Pair::Both(place, place),
        (true, false) => Pair::Old(place),
        _ => Pair::New(place),
    };
    (0..old.max(new)).map(pair).collect()
}

/// What it costs to take an entry for another one: less where they are of one kind.
fn cost(old: &Value, new: &Value) -> u32 {
    let alike = match (old, new) {
        _ if old == new => return 0,
        (Value::Mapping(old), Value::Mapping(new)) => super::are_alike(old, new),
        _ => std::mem::discriminant(old) == std::mem::discriminant(new),
    };
    if alike { 2 * ALONE - 1 } else { 2 * ALONE }
}

/// Which of these distinct places belong to a longest run of them that rises.
pub fn in_order(places: &[usize]) -> Vec<bool> {
    // By length less 1: the place in the list at which a run of that length ends lowest.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(places.len());
    for (at, place) in places.iter().enumerate() {
        let length = ends.partition_point(|&end| places[end] < *place);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut kept = vec![false; places.len()];
    let mut at = ends.last().copied();
    while let Some(place) = at {
        kept[place] = true;
        at = before[place];
    }
    kept
}
