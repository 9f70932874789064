//! Specs with much of one thing.

/// A part of a spec, and what is repeated in it: `{}` is a number that counts up.
const LARGE: &[(&str, &str, usize)] = &[
    (NET, "  - relu\n", 50_000),
    (NET, "  - relu\n", 2000),
    (NET, "  - batch_norm\n", 2000),
    (NET, "  - conv_transpose2d: { out: 3, kernel: 2, stride: 2 }\n", 2000),
    (NET, "  - conv_transpose2d: { out: 65536, kernel: 4096, stride: 4096 }\n", 20),
    (NET, "  - conv2d: { out: 65536, kernel: 4096, padding: 4096 }\n", 20),
    (NET, "  - concat: { with: [0] }\n", 2000),
    (DEEP, "  - batch_norm\n", 2000),
    (DEEP, "  - batch_norm\n", 99),
    (PHASES, "    - { name: p{}, epochs: 1, train: [head], lr: 1 }\n", 20_000),
    (PHASES, "    - { name: p{}, epochs: 1000000, train: [head, \"*\"], lr: 1 }\n", 500),
    (PHASES, "    - { name: p{}, epochs: 1, train: [heda, x, y], lr: { z: 1 } }\n", 500),
    (PHASES, "    - { name: same, epochs: 3, train: [head, blocks, x], lr: { head: 1e-3, blocks: 3e-4 } }\n", 4000),
    (PHASES, "    - { name: same, epochs: 1, train: [head], lr: 1 }\n", 500),
    (TRAIN, "        - '*'\n", 20_000),
    (TRAIN, "        - re:w{}\n", 250),
    (TRAIN, "        - re:.{}?\n", 250),
    (TRAIN, "        - blocks.{}\n", 250),
    (RATES, "        x{}: 0.1\n", 20_000),
    (RATES, "        x{}: 0.1\n", 250),
    (STAGES, "      - blocks.6-11\n", 2000),
    (STAGES, "      - blocks.{}\n", 100),
    (STAGES, "      - x{}\n", 100),
    (KEYS, "  x{}: 1\n", 20_000),
    (KEYS, "  l1: 1\n", 20_000),
    (KEYS, "  clip_grad_norm: &a 1\n", 2000),
    (WEIGHTS, "    x{}: 2.0\n", 20_000),
    (WEIGHTS, "    x{}: 2.0\n", 2000),
    (VARIED, "    - one_of: [grayscale: 0.2, { sometimes: { p: 0.5, do: [invert: 0.1] } }]\n", 10_000),
    (VARIED, "    - horizontal_flp: 0.5\n", 20_000),
    (VARIED, "    - { x: [", 3000),
    (VARIED, "    # nothing\n", 100_000),
];

const HEAD: &str = "name: large\ndata: { source: { synthetic: blood_cells }, image: { size: 32 } }\n";
const BACKBONE: &str = "backbone: { arch: efficientnet_lite0 }\n";
const ALL: &str = "schedule: { phases: [{ name: a, epochs: 1, train: ['*'], lr: 1e-3 }] }\n";

const NET: &str = "{HEAD}layers:\n  - conv2d: { out: 8, kernel: 3 }\n{MANY}head: [global_avg_pool, { linear: { out: classes } }]\n{ALL}";
const DEEP: &str = "{HEAD}memory_budget: 1GiB\nlayers:\n{MANY}head: [global_avg_pool, { linear: { out: classes } }]\n\
                    schedule: { gradual_unfreeze: { every: 1, lr: 1 } }\n";
const PHASES: &str = "{HEAD}memory_budget: 1GiB\n{BACKBONE}schedule:\n  phases:\n{MANY}";
const TRAIN: &str =
    "{HEAD}{BACKBONE}schedule:\n  phases:\n    - name: a\n      epochs: 1\n      lr: 1\n      train:\n{MANY}";
const RATES: &str =
    "{HEAD}{BACKBONE}schedule:\n  phases:\n    - name: a\n      epochs: 1\n      train: [head]\n      lr:\n{MANY}";
const STAGES: &str = "{HEAD}{BACKBONE}schedule:\n  gradual_unfreeze:\n    every: 1\n    lr: 1\n    stages:\n{MANY}";
const KEYS: &str = "{HEAD}{BACKBONE}{ALL}regularization:\n{MANY}";
const WEIGHTS: &str = "{HEAD}{BACKBONE}{ALL}regularization:\n  class_weights:\n{MANY}";
const VARIED: &str = "{HEAD}{BACKBONE}{ALL}augmentation:\n  train:\n{MANY}";

/// All of them, written out.
pub fn specs() -> Vec<String> {
    let written = |(frame, line, times): &(&str, &str, usize)| {
        let many: String = (0..*times).map(|number| line.replace("{}", &number.to_string())).collect();
        let parts = [("{HEAD}", HEAD), ("{BACKBONE}", BACKBONE), ("{ALL}", ALL), ("{MANY}", many.as_str())];
        parts.into_iter().fold((*frame).to_owned(), |text, (name, part)| text.replace(name, part))
    };
    LARGE.iter().map(written).collect()
}
