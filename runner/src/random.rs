//! Randomness that is counted, not carried.
//!
//! Every random number is a function of where it is used: a [`Key`] is built from the seed, the
//! [`Purpose`], and then whatever identifies the use (epoch, sample, layer, ...). A [`Stream`]
//! draws from a key by counting up. No generator state exists, so none has to be saved, and the
//! number of workers or the device cannot change what is drawn.
//!
//! The generator is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
//! SC 2011). It is a part of the interface of plugins, which draw from the same keys.

use runner_plugin_abi::philox;

/// What a random number is for. Two purposes never share numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Initial values of parameters.
    Init = 1,
    /// The order of samples in an epoch.
    Shuffle = 2,
    /// Which split a sample falls into.
    Split = 3,
    /// Augmentation of one sample.
    Augment = 4,
    /// Augmentation of a whole batch.
    AugmentBatch = 5,
    /// Augmentation of what the frozen part of a net makes of a batch.
    AugmentFeatures = 12,
    /// Random layers: dropout, stochastic depth, ...
    Layer = 6,
    /// Generated images.
    Synthetic = 7,
    /// Which samples are drawn when a data set is prepared.
    Prepare = 8,
    /// What a layer of a plugin is tried with.
    Check = 9,
    /// A view of an image that is tested.
    View = 20,
    /// The order in which the fit of a head visits samples.
    Fit = 16,
    /// Noise in gradients.
    GradientNoise = 10,
    /// Which samples an epoch draws more than once.
    Oversample = 11,
}

/// Identifies one use of randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(u64);

impl Key {
    /// The key of a purpose under a seed.
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        Key(mix(seed ^ 0x9e37_79b9_7f4a_7c15)).with(purpose as u64)
    }

    /// The key narrowed by one more fact: an epoch, a sample, a layer, ...
    #[must_use]
    pub fn with(self, fact: u64) -> Self {
        Key(mix(self.0.rotate_left(23) ^ mix(fact.wrapping_add(0xd1b5_4a32_d192_ed03))))
    }

    /// The key narrowed by a name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        // FNV-1a: stable over platforms and releases, unlike the standard hasher.
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        self.with(hash)
    }

    /// The key as plugins are given it.
    pub fn word(self) -> u64 {
        self.0
    }

    /// The numbers of this key, from the first.
    pub fn stream(self) -> Stream {
        Stream { key: self.0, block: 0, words: [0; 4], used: 4 }
    }
}

/// `SplitMix64`'s finaliser: a bijection in which every input bit moves every output bit.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The numbers of one [`Key`], in order.
#[derive(Debug, Clone)]
pub struct Stream {
    key: u64,
    block: u64,
    words: [u32; 4],
    used: usize,
}

impl Stream {
    /// A number from all of `u32`.
    pub fn bits(&mut self) -> u32 {
        if self.used == 4 {
            self.words = philox(self.key, self.block);
            self.block += 1;
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    /// A key drawn: what is built on it draws on its own, however much it draws.
    pub fn key(&mut self) -> Key {
        Key(u64::from(self.bits()) << 32 | u64::from(self.bits()))
    }

    /// A number in `[0, 1)`.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 8) as f32 / (1 << 24) as f32
    }

    /// A number in `[low, high)`; `low` when the range is empty.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// A whole number in `[0, below)`; 0 when `below` is 0.
    pub fn below(&mut self, below: usize) -> usize {
        ((u64::from(self.bits()) * below as u64) >> 32) as usize
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }

    /// A number from the standard normal distribution (Box and Muller).
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * f64::from(1.0 - self.unit()).ln()).sqrt();
        (radius * (std::f64::consts::TAU * f64::from(self.unit())).cos()) as f32
    }

    /// Puts `items` in random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_differ_in_one_fact_draw_other_numbers() {
        let key = Key::new(7, Purpose::Augment);
        let draw = |key: Key| key.stream().bits();
        assert_eq!(draw(key.with(3)), draw(key.with(3)));
        assert_ne!(draw(key.with(3)), draw(key.with(4)));
        assert_ne!(draw(key.with(3).with(4)), draw(key.with(4).with(3)));
        assert_ne!(draw(key), draw(Key::new(8, Purpose::Augment)));
        assert_ne!(draw(key), draw(Key::new(7, Purpose::Shuffle)));
        assert_ne!(draw(key.named("fc")), draw(key.named("fc2")));
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut stream = Key::new(1, Purpose::Init).stream();
        let n = 200_000;
        let (mut unit, mut normal, mut square) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            unit += f64::from(stream.unit());
            let z = f64::from(stream.normal());
            normal += z;
            square += z * z;
        }
        let n = f64::from(n);
        assert!((unit / n - 0.5).abs() < 0.005);
        assert!((normal / n).abs() < 0.01);
        assert!((square / n - 1.0).abs() < 0.02);
    }

    #[test]
    fn keys_drawn_differ_and_use_all_of_their_bits() {
        let mut stream = Key::new(1, Purpose::Augment).stream();
        let keys: Vec<u64> = (0..1000).map(|_| stream.key().word()).collect();
        for bit in 0..64 {
            let set = keys.iter().filter(|key| **key >> bit & 1 == 1).count();
            assert!((430..570).contains(&set), "bit {bit}: {set} of 1000");
        }
    }

    #[test]
    fn shuffle_keeps_every_item() {
        let mut items: Vec<usize> = (0..100).collect();
        Key::new(3, Purpose::Shuffle).stream().shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
