//! Numbers as a person reads them.

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1234567` as `1.23 M`: three digits and a unit; numbers below a thousand as they are.
pub fn rounded(number: u64) -> String {
    scaled(number as f64, 1000.0, &["", " k", " M", " G", " T"])
}

/// Bytes as `412 MiB`.
pub fn bytes(number: u64) -> String {
    scaled(number as f64, 1024.0, &[" B", " KiB", " MiB", " GiB", " TiB"])
}

fn scaled(number: f64, base: f64, units: &[&str]) -> String {
    let mut value = number;
    let mut units = units.iter();
    let mut unit = units.next();
    while value >= 999.5 && units.len() > 0 {
        value /= base;
        unit = units.next();
    }
    let unit = unit.copied().unwrap_or_default();
    let places = match value {
        _ if number < 999.5 => 0,
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.places$}{unit}")
}

/// A learning rate: as short as it can be written, with at most three digits that matter.
pub fn rate(rate: f64) -> String {
    let plain = rate.to_string();
    if plain.len() <= 7 { plain } else { format!("{rate:.2e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let all: Vec<String> = [0, 999, 1000, 12_345, 1_234_567].into_iter().map(grouped).collect();
        assert_eq!(all, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn three_digits_and_a_unit() {
        let all: Vec<String> =
            [0, 999, 1000, 9_996, 99_960, 999_499, 999_500, 1_234_567].into_iter().map(rounded).collect();
        assert_eq!(all, ["0", "999", "1.00 k", "10.0 k", "100 k", "999 k", "1.00 M", "1.23 M"]);
        let all: Vec<String> = [512, 1536, 432_013_312].into_iter().map(bytes).collect();
        assert_eq!(all, ["512 B", "1.50 KiB", "412 MiB"]);
        assert!(rounded(u64::MAX).ends_with(" T"));
    }

    #[test]
    fn learning_rates_are_short() {
        let all: Vec<String> = [0.1, 3e-4, 1e-5, 1e-3 / 2.6 / 2.6, 1e-7].into_iter().map(rate).collect();
        assert_eq!(all, ["0.1", "0.0003", "0.00001", "1.48e-4", "1.00e-7"]);
    }
}
