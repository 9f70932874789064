//! How near our numbers must come to torch's.

/// Logits in evaluation, absolute.
const LOGITS: f32 = 1e-3;

/// Losses, relative.
const LOSSES: f32 = 1e-2;

/// Logits after training, as a part of the largest: four steps multiply what rounding differs by,
/// as they do the logits themselves (1e10 in Inception's case).
const LOGITS_AFTER_TRAINING: f32 = 1e-2;

pub fn logits(what: &str, ours: &[Vec<f32>], torch: &[Vec<f32>]) {
    let difference = largest_difference(ours, torch);
    eprintln!("{what}: largest difference {difference:e}");
    assert!(difference <= LOGITS, "{what}: off by {difference}\nours  {ours:?}\ntorch {torch:?}");
}

pub fn losses(what: &str, ours: &[f32], torch: &[f32]) {
    eprintln!("{what}: ours {ours:?}, torch {torch:?}");
    assert_eq!(ours.len(), torch.len(), "{what}");
    for (ours_one, torch_one) in ours.iter().zip(torch) {
        let difference = (ours_one - torch_one).abs() / torch_one.abs();
        assert!(difference <= LOSSES, "{what}: off by {difference}\nours  {ours:?}\ntorch {torch:?}");
    }
}

pub fn logits_after_training(what: &str, ours: &[Vec<f32>], torch: &[Vec<f32>]) {
    let largest = torch.iter().flatten().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let difference = largest_difference(ours, torch) / largest;
    eprintln!("{what}: logits after training, largest difference {difference:e} of {largest:e}");
    assert!(difference <= LOGITS_AFTER_TRAINING, "{what}: off by {difference}\nours  {ours:?}\ntorch {torch:?}");
}

/// NaN where ours have one, so that no comparison passes.
fn largest_difference(ours: &[Vec<f32>], torch: &[Vec<f32>]) -> f32 {
    let dims = |rows: &[Vec<f32>]| rows.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(dims(ours), dims(torch), "logits of another shape");
    ours.iter().flatten().zip(torch.iter().flatten()).fold(0.0, |largest, (ours, torch)| {
        let difference = (ours - torch).abs();
        if difference > largest || difference.is_nan() { difference } else { largest }
    })
}
