//! Memory is given back.

use super::case::Case;
use super::pass::Mode;
use super::tensor::Signs;
use super::{Bench, Checked, Failure, Outcome};
use std::fs;
use std::time::{Duration, Instant};

/// Rounds between two looks at the memory.
const ROUNDS: usize = 4000;

/// The time after which a look is taken, however few the rounds were.
const PATIENCE: Duration = Duration::from_secs(1);

/// Looks: memory that grows between all of them is not given back.
const LOOKS: usize = 3;

/// Bytes that the memory may grow by between two looks.
const BOUND: u64 = 96 << 10;

/// Layers that are made, used and freed again and again do not fill the memory.
pub fn check(bench: &mut Bench) -> Checked {
    let Some(case) = bench.cases.iter().min_by_key(|case| case.size()) else {
        return Ok(Outcome::Skipped("no shape is taken".to_owned()));
    };
    rounds(case)?;
    let mut grown = Vec::new();
    let mut done = 0;
    let Some(mut before) = resident() else {
        return Ok(Outcome::Skipped("this system does not tell how much is used".to_owned()));
    };
    for _ in 0..LOOKS {
        done += rounds(case)?;
        let now = resident().unwrap_or(before);
        grown.push(now.saturating_sub(before));
        before = now;
    }
    if grown.iter().all(|&bytes| bytes > BOUND) {
        let bytes: u64 = grown.iter().sum();
        let each = bytes / (done as u64).max(1);
        let what = format!("memory grows by about {each} bytes with each layer that is made, used and destroyed");
        return Err(Failure::new(what).with(|| format!("{}, {done} rounds", case.description())));
    }
    Ok(Outcome::Fine(format!("{done} rounds")))
}

/// Makes, uses and frees layers, and says how many.
fn rounds(case: &Case) -> Result<usize, Failure> {
    let operands = case.operands(Signs::Positive, 0);
    let began = Instant::now();
    let mut done = 0;
    while done < ROUNDS && began.elapsed() < PATIENCE {
        let made = case.anew()?;
        for mode in [Mode::EVALUATION, Mode::TRAINING] {
            let pass = made.forward(&operands, mode.unguarded())?;
            pass.gradients(&pass.output)?;
        }
        done += 1;
    }
    Ok(done)
}

/// Bytes of memory that the program uses, on Linux.
fn resident() -> Option<u64> {
    // Exact, where there is such a file; the other is a sum of counters that lag behind.
    let exact = fs::read_to_string("/proc/self/smaps_rollup").ok().and_then(|text| kilobytes(&text, "Rss:"));
    let bytes = |kilobytes: u64| kilobytes * 1024;
    exact.or_else(|| kilobytes(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")).map(bytes)
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_read_from_the_line_of_its_name() {
        assert_eq!(kilobytes("VmHWM:\t  900 kB\nVmRSS:\t  512 kB\n", "VmRSS:"), Some(512));
        assert_eq!(kilobytes("Rss: much\n", "Rss:"), None);
        if cfg!(target_os = "linux") {
            assert!(resident().unwrap() > 1 << 20);
        }
    }
}
