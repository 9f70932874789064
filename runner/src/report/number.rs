//! Numbers as a person reads them.

/// `1,234,567`
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A learning rate: `0.003`, `2.5e-5`.
pub fn rate(rate: f64) -> String {
    if rate == 0.0 || (1e-3..1000.0).contains(&rate) {
        // Four significant digits are enough, and shorthand makes long ones.
        let text = format!("{:.*}", (3 - rate.abs().max(1e-3).log10().floor() as i32).max(0) as usize, rate);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        let text = format!("{rate:.3e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        format!("{}e{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// A duration: `0.8 s`, `42 s`, `3 min 20 s`, `2 h 05 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds < 10.0 => format!("{seconds:.1} s"),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Three digits and a unit: `1.23 M`; numbers below a thousand as they are.
pub fn rounded(number: u64) -> String {
    scaled(number, 1000.0, &["", " k", " M", " G", " T"])
}

/// Bytes: `412 MiB`.
pub fn bytes(number: u64) -> String {
    scaled(number, 1024.0, &[" B", " KiB", " MiB", " GiB", " TiB"])
}

fn scaled(number: u64, base: f64, units: &[&str]) -> String {
    let mut value = number as f64;
    let mut units = units.iter();
    let mut unit = units.next();
    while value >= 999.5 && units.len() > 0 {
        value /= base;
        unit = units.next();
    }
    let places = match value {
        _ if number < 1000 => 0,
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.places$}{}", unit.copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_exact() {
        assert_eq!(["0", "999", "1,000", "3,412,000"], [0, 999, 1000, 3_412_000].map(grouped).each_ref().map(|s| &**s));
        let rates = [3e-3, 1e-3, 0.01, 2.5e-5, 0.1, 1.0, 0.0, 3e-4, 1e-3 / 2.6];
        let texts = rates.map(rate);
        assert_eq!(
            ["0.003", "0.001", "0.01", "2.5e-5", "0.1", "1", "0", "3e-4", "3.846e-4"],
            texts.each_ref().map(|s| &**s)
        );
        let times = [0.84, 9.96, 41.7, 200.0, 7500.0].map(duration);
        assert_eq!(["0.8 s", "10.0 s", "42 s", "3 min 20 s", "2 h 05 min"], times.each_ref().map(|s| &**s));
    }

    #[test]
    fn large_numbers_have_three_digits_and_a_unit() {
        let texts = [0, 999, 1000, 9_996, 99_960, 999_499, 999_500, 1_234_567].map(rounded);
        assert_eq!(
            ["0", "999", "1.00 k", "10.0 k", "100 k", "999 k", "1.00 M", "1.23 M"],
            texts.each_ref().map(|s| &**s)
        );
        let texts = [512, 1536, 432_013_312].map(bytes);
        assert_eq!(["512 B", "1.50 KiB", "412 MiB"], texts.each_ref().map(|s| &**s));
        assert!(rounded(u64::MAX).ends_with(" T"));
    }
}
