//! Random numbers that are counted, not carried: every sample of a batch has a key, and the numbers
//! of a key are always the same. So backward may draw again what forward drew, in any order, on any
//! thread.

use runner_plugin_abi::philox;

/// The keys of a batch, one a sample.
#[derive(Debug, Clone, Copy)]
pub struct Random<'a> {
    pub(crate) keys: &'a [u64],
}

impl Random<'_> {
    /// The random numbers of sample `row`, from the first.
    ///
    /// # Panics
    /// If the batch has no such row.
    pub fn row(&self, row: usize) -> Stream {
        let key = self.keys.get(row);
        Stream::new(*key.unwrap_or_else(|| panic!("no random key for row {row}: there are {}", self.keys.len())))
    }
}

/// The random numbers of a key, one after another.
#[derive(Debug, Clone)]
pub struct Stream {
    key: u64,
    /// How many numbers lie before the next.
    position: u64,
    /// The block that the next number is in, unless that is its first.
    block: [u32; 4],
}

impl Stream {
    /// The numbers of `key`, from the first.
    pub fn new(key: u64) -> Self {
        Stream { key, position: 0, block: [0; 4] }
    }

    /// The same numbers from the one before which there are `position`.
    #[must_use]
    pub fn at(mut self, position: u64) -> Self {
        self.position = position;
        if !position.is_multiple_of(4) {
            self.block = philox(self.key, position / 4);
        }
        self
    }

    /// The next number, from all of `u32`.
    pub fn number(&mut self) -> u32 {
        if self.position.is_multiple_of(4) {
            self.block = philox(self.key, self.position / 4);
        }
        let number = self.block[(self.position % 4) as usize];
        self.position += 1;
        number
    }

    /// The next number, in [0, 1): a multiple of 2^-24.
    pub fn uniform(&mut self) -> f32 {
        unit(self.number())
    }

    /// The next numbers: what [`Stream::number`] would give one by one, faster.
    pub fn fill(&mut self, numbers: &mut [u32]) {
        let lead = numbers.len().min(self.position.wrapping_neg() as usize % 4);
        let (head, rest) = numbers.split_at_mut(lead);
        head.fill_with(|| self.number());
        let mut blocks = rest.chunks_exact_mut(4);
        // Numbers of local variables, so that the compiler draws several blocks at once.
        let (key, first, mut count) = (self.key, self.position / 4, 0);
        for block in &mut blocks {
            block.copy_from_slice(&philox(key, first + count));
            count += 1;
        }
        self.position += 4 * count;
        blocks.into_remainder().fill_with(|| self.number());
    }
}

/// A number in [0, 1) of one from all of `u32`, as `runner_unit` of the header makes it.
pub fn unit(number: u32) -> f32 {
    (number >> 8) as f32 / (1 << 24) as f32
}

#[cfg(test)]
mod tests {
    use super::{Random, Stream, philox};

    #[test]
    fn a_stream_is_the_blocks_of_its_key_one_after_another() {
        let mut stream = Stream::new(7);
        let numbers: Vec<u32> = (0..100).map(|_| stream.number()).collect();
        let expected: Vec<u32> = (0..25).flat_map(|block| philox(7, block)).collect();
        assert_eq!(numbers, expected);
    }

    #[test]
    fn numbers_are_the_same_wherever_one_begins_and_however_many_are_drawn_at_once() {
        let mut stream = Stream::new(u64::MAX - 3);
        let all: Vec<u32> = (0..300).map(|_| stream.number()).collect();
        for start in [0, 1, 2, 3, 4, 7, 129] {
            for length in [0, 1, 2, 3, 4, 31, 32, 33, 67, 150] {
                let mut numbers = vec![0; length];
                let mut stream = Stream::new(u64::MAX - 3).at(start as u64);
                stream.fill(&mut numbers);
                assert_eq!(numbers, all[start..start + length], "{length} from {start}");
                assert_eq!(stream.number(), all[start + length], "the one after {length} from {start}");
            }
        }
    }

    #[test]
    fn blocks_beyond_32_bits_differ_from_those_before() {
        let far = 1_u64 << 34;
        let mut numbers = [0; 40];
        Stream::new(5).at(far).fill(&mut numbers);
        let expected: Vec<u32> = (0..10).flat_map(|i| philox(5, far / 4 + i)).collect();
        assert_eq!(numbers[..], expected);
        assert_ne!(Stream::new(5).at(far).number(), Stream::new(5).number());
    }

    #[test]
    #[should_panic(expected = "no random key for row 2: there are 2")]
    fn a_row_outside_of_the_batch_is_named() {
        Random { keys: &[1, 2] }.row(2);
    }
}
