/// Four random numbers, each from all of `u32`: those of block `block` of `key`, as
/// `runner_philox` of the header draws them. Philox4x32-10 (Salmon et al., "Parallel random
/// numbers: as easy as 1, 2, 3", SC 2011).
#[inline]
pub fn philox(key: u64, block: u64) -> [u32; 4] {
    let (mut k0, mut k1) = (low(key), low(key >> 32));
    let mut c = [low(block), low(block >> 32), 0, 0];
    for _ in 0..10 {
        let p0 = u64::from(c[0]) * 0xd251_1f53;
        let p1 = u64::from(c[2]) * 0xcd9e_8d57;
        c = [low(p1 >> 32) ^ c[1] ^ k0, low(p1), low(p0 >> 32) ^ c[3] ^ k1, low(p0)];
        k0 = k0.wrapping_add(0x9e37_79b9);
        k1 = k1.wrapping_add(0xbb67_ae85);
    }
    c
}

fn low(word: u64) -> u32 {
    (word & u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::philox;

    #[test]
    fn philox_gives_the_numbers_of_the_paper() {
        // Known answers of Random123 (kat_vectors), philox4x32-10.
        assert_eq!(philox(0, 0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    }
}
