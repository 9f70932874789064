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
}
