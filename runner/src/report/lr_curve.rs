//! The curve of a learning-rate range test, as text and as SVG.

use super::number::rate;
use crate::train::lr_find::{Curve, Point, Suggestion};
use std::fmt::Write;

/// Rows and columns of the text.
const ROWS: usize = 12;
const COLUMNS: usize = 61;

/// Where a value stands between two others, in [0, 1].
fn share(value: f64, low: f64, high: f64) -> f64 {
    if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 }
}

/// What a curve spans: logarithms of rates, and smoothed losses.
struct Span {
    rates: [f64; 2],
    losses: [f64; 2],
}

impl Span {
    /// Losses beyond twice the first, where it diverges, are drawn at the upper edge.
    fn of(points: &[Point]) -> Option<Self> {
        let (first, last) = (points.first()?, points.last()?);
        let losses = points.iter().map(|point| point.smoothed);
        let low = losses.clone().fold(f64::INFINITY, f64::min);
        let high =
            losses.fold(f64::NEG_INFINITY, f64::max).min(low + 2.0 * (first.smoothed - low).max(0.1 * low.abs()));
        Some(Span { rates: [first.lr.ln(), last.lr.ln()], losses: [low, high] })
    }

    fn x(&self, lr: f64) -> f64 {
        share(lr.ln(), self.rates[0], self.rates[1])
    }

    /// From the top.
    fn y(&self, loss: f64) -> f64 {
        1.0 - share(loss, self.losses[0], self.losses[1])
    }

    /// The powers of ten within, each with its place.
    fn decades(&self) -> impl Iterator<Item = (f64, f64)> {
        let [low, high] = self.rates.map(|ln| ln / std::f64::consts::LN_10);
        let whole = (low - 1e-9).ceil() as i32..=(high + 1e-9).floor() as i32;
        whole.map(|exponent| 10.0_f64.powi(exponent)).map(|lr| (lr, self.x(lr)))
    }
}

/// Lines for a terminal: the smoothed loss over the rate, the suggested rate marked.
pub fn text(curve: &Curve, suggestion: Option<&Suggestion>) -> String {
    let Some(span) = Span::of(&curve.points) else { return String::new() };
    let column = |x: f64| (x * (COLUMNS - 1) as f64).round() as usize;
    let mut cells = vec![[' '; COLUMNS]; ROWS];
    if let Some(suggestion) = suggestion {
        let at = column(span.x(suggestion.valley));
        for row in &mut cells {
            row[at] = '┊';
        }
    }
    for point in &curve.points {
        let row = (span.y(point.smoothed) * (ROWS - 1) as f64).round() as usize;
        cells[row][column(span.x(point.lr))] = '•';
    }
    let mut text = String::new();
    for (row, cells) in cells.iter().enumerate() {
        let label = match row {
            0 => format!("{:.3}", span.losses[1]),
            _ if row + 1 == ROWS => format!("{:.3}", span.losses[0]),
            _ => String::new(),
        };
        let cells: String = cells.iter().collect();
        let _ = writeln!(text, "  {label:>8} │{}", cells.trim_end());
    }
    let mut axis = ['─'; COLUMNS];
    let mut labels = [' '; COLUMNS + 8];
    let mut free = 0;
    for (lr, x) in span.decades() {
        let at = column(x);
        axis[at] = '┴';
        let label = rate(lr);
        if at >= free {
            labels.iter_mut().skip(at).zip(label.chars()).for_each(|(cell, char)| *cell = char);
            free = at + label.len() + 1;
        }
    }
    let _ = writeln!(text, "           └{}", axis.iter().collect::<String>());
    let _ = writeln!(text, "            {}", labels.iter().collect::<String>().trim_end());
    text
}

/// Width and height of the picture, and of its margins.
const SIZE: [f64; 2] = [720.0, 420.0];
const MARGIN: [f64; 2] = [70.0, 50.0];

/// A picture: the smoothed loss as a line, the losses of the steps as dots, the suggested rate marked.
pub fn svg(curve: &Curve, suggestion: Option<&Suggestion>, title: &str) -> String {
    let [width, height] = SIZE;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let _ = writeln!(svg, "<text x=\"{}\" y=\"24\" font-size=\"14\">{}</text>", MARGIN[0], escaped(title));
    if let Some(span) = Span::of(&curve.points) {
        draw(&mut svg, curve, suggestion, &span);
    }
    svg + "</svg>\n"
}

fn draw(svg: &mut String, curve: &Curve, suggestion: Option<&Suggestion>, span: &Span) {
    let [width, height] = [0, 1].map(|axis| SIZE[axis] - 2.0 * MARGIN[axis]);
    let x = |lr: f64| MARGIN[0] + width * span.x(lr);
    let y = |loss: f64| MARGIN[1] + height * span.y(loss);
    let (left, right, top, bottom) = (MARGIN[0], MARGIN[0] + width, MARGIN[1], MARGIN[1] + height);
    let _ = writeln!(svg, "<path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"#888\"/>");
    for (lr, share) in span.decades() {
        let at = left + width * share;
        let _ = writeln!(svg, "<path d=\"M{at:.1} {bottom}v5\" stroke=\"#888\"/>");
        let _ = writeln!(svg, "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>", bottom + 18.0, rate(lr));
    }
    for loss in span.losses {
        let _ =
            writeln!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{loss:.3}</text>", left - 8.0, y(loss) + 4.0);
    }
    if let Some(suggestion) = suggestion {
        let at = x(suggestion.valley);
        let _ = writeln!(svg, "<path d=\"M{at:.1} {top}V{bottom}\" stroke=\"#c60\" stroke-dasharray=\"4 3\"/>");
        let label = rate(suggestion.valley);
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{}\" fill=\"#c60\">{label}</text>", at + 5.0, top + 12.0);
    }
    for point in &curve.points {
        let (x, y) = (x(point.lr), y(point.loss));
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"1.5\" fill=\"#9bd\"/>");
    }
    let line: Vec<String> =
        curve.points.iter().map(|point| format!("{:.1},{:.1}", x(point.lr), y(point.smoothed))).collect();
    let _ = writeln!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"#246\" stroke-width=\"2\"/>", line.join(" "));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::lr_find::{End, Range};

    fn curve() -> Curve {
        let range = Range { from: 1e-5, to: 1.0, steps: 61 };
        let points = (0..61).map(|step| {
            let lr = range.rate(step);
            let x = lr.log10();
            let smoothed = 1.0 + 1.0 / (1.0 + (3.0 * (x + 3.0)).exp()) + if x > -1.0 { (x + 1.0).powi(2) } else { 0.0 };
            Point { lr, loss: smoothed, smoothed }
        });
        Curve { points: points.collect(), end: End::Range }
    }

    #[test]
    fn the_curve_as_a_person_sees_it() {
        let curve = curve();
        insta::assert_snapshot!(text(&curve, curve.suggestion().as_ref()));
    }

    #[test]
    fn the_picture_is_sound_xml_with_a_point_a_step() {
        let curve = curve();
        let svg = svg(&curve, curve.suggestion().as_ref(), "a < b & c");
        let document = roxmltree::Document::parse(&svg).unwrap();
        let circles = document.descendants().filter(|node| node.has_tag_name("circle")).count();
        assert_eq!(circles, 61);
        let line = document.descendants().find(|node| node.has_tag_name("polyline")).unwrap();
        assert_eq!(line.attribute("points").unwrap().split(' ').count(), 61);
        assert!(document.descendants().any(|node| node.text() == Some("a < b & c")));
    }

    #[test]
    fn no_points_are_no_picture_and_no_crash() {
        let none = Curve { points: vec![], end: End::NotFinite };
        assert_eq!(text(&none, None), "");
        assert!(roxmltree::Document::parse(&svg(&none, None, "x")).is_ok());
        let one = Curve { points: curve().points[..1].to_vec(), end: End::Interrupted };
        assert!(text(&one, None).contains('•'));
    }
}
