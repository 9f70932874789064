//! `blood_cells`: crops of a stained blood smear about an erythrocyte, a leukocyte or a platelet.
//!
//! Modelled on BCCD: the crop is 1.2 times the cell's box, so platelets are seen much enlarged and
//! leukocytes shrunk; neighbouring cells are partly in view; stain, light and focus vary from slide
//! to slide, and cells within a slide.

use super::Generator;
use super::noise::{Texture, smoothstep};
use super::smear::{Density, Outline, Point, Smear};
use crate::augment::Pixels;
use crate::random::{Key, Stream};
use std::f32::consts::TAU;

pub const GENERATOR: Generator = Generator {
    name: "blood_cells",
    classes: CLASSES,
    samples: 900,
    groups: "source_image",
    label,
    group: |number| format!("slide_{:03}", slide(number)),
    draw,
};

const CLASSES: &[&str] = &["erythrocyte", "leukocyte", "platelet"];

const SAMPLES_A_SLIDE: usize = 9;

fn label(number: usize) -> usize {
    number % CLASSES.len()
}

/// The slide that a sample is on, whose samples share stain, light and focus.
fn slide(number: usize) -> usize {
    number / SAMPLES_A_SLIDE
}

/// The image of a sample, 96x96 RGB.
fn draw(key: Key, number: usize) -> Pixels {
    let slide = Slide::new(&mut key.named("slide").with(slide(number) as u64).stream());
    let mut random = key.named("cell").with(number as u64).stream();
    let cell = match CLASSES[label(number)] {
        "erythrocyte" => Cell::Erythrocyte(Erythrocyte::new([0.0; 2], &slide, &mut random)),
        "leukocyte" => Cell::Leukocyte(Leukocyte::new([0.0; 2], &mut random)),
        _ => Cell::Platelet(Platelet::new([0.0; 2], &mut random)),
    };
    photograph(&slide, &cell, &mut random)
}

/// What cells of one slide share.
struct Slide {
    light: [f32; 3],
    noise: f32,
    /// Width of an edge that is out of focus.
    blur: f32,
    /// Optical density of haemoglobin at a cell's thickest.
    haemoglobin: Density,
    /// Optical density of stained nuclei.
    nucleus: Density,
    /// Optical density of a leukocyte's plasma.
    plasma: Density,
    /// How much paler erythrocytes are in the middle.
    pallor: f32,
    /// Cells in view, as a share of the greatest number.
    crowding: f32,
}

impl Slide {
    fn new(random: &mut Stream) -> Self {
        let brightness = random.range(0.90, 1.06);
        let light = [203.0, 200.0, 192.0].map(|value| brightness * (value + random.range(-5.0, 5.0)));
        let stain = random.range(0.75, 1.3);
        let blueness = random.range(-0.12, 0.16);
        Slide {
            light,
            noise: random.range(0.8, 3.0),
            blur: random.range(2.0, 6.5),
            haemoglobin: [0.11, 0.30, 0.31].map(|density| density * stain * random.range(0.85, 1.2)),
            nucleus: [0.68 + blueness, 1.02, 0.16].map(|density| density * stain.sqrt() * random.range(0.9, 1.1)),
            plasma: [0.10 + blueness / 4.0, 0.24, 0.05].map(|density| density * stain * random.range(0.7, 1.2)),
            pallor: random.range(0.55, 1.25),
            crowding: random.range(0.3, 1.0),
        }
    }
}

enum Cell {
    Erythrocyte(Erythrocyte),
    Leukocyte(Leukocyte),
    Platelet(Platelet),
}

impl Cell {
    /// Where it is, and a radius that nothing of it goes beyond by much.
    fn extent(&self) -> (Point, f32) {
        match self {
            Cell::Erythrocyte(cell) => (cell.outline.centre, cell.outline.radius),
            Cell::Leukocyte(cell) => (cell.outline.centre, cell.outline.radius),
            Cell::Platelet(cell) => (cell.outline.centre, cell.outline.radius / 0.72),
        }
    }

    fn draw(&self, slide: &Slide, smear: &mut Smear) {
        match self {
            Cell::Erythrocyte(cell) => cell.draw(slide, smear),
            Cell::Leukocyte(cell) => cell.draw(slide, smear),
            Cell::Platelet(cell) => cell.draw(slide, smear),
        }
    }
}

/// The crop about a cell.
fn photograph(slide: &Slide, cell: &Cell, random: &mut Stream) -> Pixels {
    let (_, radius) = cell.extent();
    // The box is not quite centred on the cell, nor quite of its size: people draw them.
    let side = 2.4 * radius * random.range(0.92, 1.12);
    let shift = 0.07 * radius;
    let centre = [random.range(-shift, shift), random.range(-shift, shift)];
    let mut smear = Smear::new(centre, side, random);
    smear.absorb(centre, side, ground(random));
    for neighbour in neighbours(slide, cell, side, random) {
        neighbour.draw(slide, &mut smear);
    }
    cell.draw(slide, &mut smear);
    if random.chance(0.12) {
        bubble(&mut smear, side, random);
    }
    let light = slide.light.map(|value| value * random.range(0.98, 1.02));
    smear.photograph(light, slide.noise, random)
}

/// The empty smear: a gradient of light, and patches of dried plasma.
fn ground(random: &mut Stream) -> impl Fn(Point, &Texture) -> Density + use<> {
    let slope: [f32; 2] = std::array::from_fn(|_| random.range(-5e-4, 5e-4));
    let patches = random.range(0.005, 0.03);
    move |[x, y], texture| {
        let patch = patches * texture.at(x / 23.0, y / 23.0);
        let tilt = slope[0] * x + slope[1] * y;
        [tilt + patch, tilt + patch * 1.2, tilt + patch * 0.8]
    }
}

/// Cells around, apart from each other as far as cells of a smear are.
fn neighbours(slide: &Slide, cell: &Cell, side: f32, random: &mut Stream) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    let (middle, own_radius) = cell.extent();
    let half = side / 2.0 + 45.0;
    let tries = (3.0 + 14.0 * slide.crowding * (half / 100.0).powi(2)) as usize;
    for _ in 0..tries {
        let place = [random.range(-half, half), random.range(-half, half)];
        let new = match random.unit() {
            kind if kind < 0.86 => Cell::Erythrocyte(Erythrocyte::new(place, slide, random)),
            kind if kind < 0.97 => Cell::Platelet(Platelet::new(place, random)),
            _ => Cell::Leukocyte(Leukocyte::new(place, random)),
        };
        let (centre, radius) = new.extent();
        let apart = |(other, other_radius): (Point, f32), share: f32| {
            (centre[0] - other[0]).hypot(centre[1] - other[1]) > share * (radius + other_radius)
        };
        let closeness = random.range(0.82, 1.1);
        if apart((middle, own_radius), closeness) && cells.iter().all(|cell| apart(cell.extent(), closeness)) {
            cells.push(new);
        }
    }
    cells
}

/// A refractile speck: a bright dot in a dark ring.
fn bubble(smear: &mut Smear, side: f32, random: &mut Stream) {
    let place = [0, 1].map(|_| side * random.range(-0.35, 0.35));
    let radius = random.range(1.5, 4.0);
    let depth = random.range(0.15, 0.4);
    let outline = Outline::new(place, radius, 0.4, 0.05, random);
    smear.absorb(place, 2.0 * outline.reach(), |place, _| {
        let out = outline.depth(place);
        let ring = depth * (1.0 - ((out - 1.0) / 0.4).powi(2)).max(0.0);
        let glint = -0.25 * (1.0 - smoothstep(0.3, 0.9, out));
        [ring * 0.7 + glint, ring + glint, ring * 0.6 + glint]
    });
}

/// A red cell: a biconcave disc without nucleus.
struct Erythrocyte {
    outline: Outline,
    pallor: f32,
    strength: f32,
    blur: f32,
}

impl Erythrocyte {
    fn new(centre: Point, slide: &Slide, random: &mut Stream) -> Self {
        let radius = random.range(38.0, 54.0);
        Erythrocyte {
            outline: Outline::new(centre, radius, 0.14, 0.035, random),
            pallor: (slide.pallor + random.range(-0.4, 0.25)).clamp(0.0, 1.0),
            strength: random.range(0.8, 1.15),
            blur: slide.blur * random.range(0.7, 1.6),
        }
    }

    fn draw(&self, slide: &Slide, smear: &mut Smear) {
        let soft = self.blur / self.outline.radius;
        smear.absorb(self.outline.centre, 1.15 * self.outline.reach() + self.blur, |place, texture| {
            let out = self.outline.depth(place);
            let inside = 1.0 - smoothstep(1.0 - soft, 1.0 + soft, out);
            // Light bends at the rim: a bright line around it.
            let halo = 0.035 * (1.0 - ((out - 1.0 - 1.2 * soft) / (1.5 * soft)).powi(2)).max(0.0);
            let thickness = (1.0 - self.pallor) * 0.85 + self.pallor * biconcave(out.min(1.0));
            let amount = inside * self.strength * thickness * (1.0 + 0.05 * texture.at(place[0] / 9.0, place[1] / 9.0));
            slide.haemoglobin.map(|density| density * amount - halo)
        });
    }
}

/// The thickness of an erythrocyte from its middle (0) to its rim (1), 1 at its thickest, without
/// the fall at the rim (Evans and Fung 1972).
fn biconcave(out: f32) -> f32 {
    let square = out * out;
    ((0.207 + 2.003 * square - 1.123 * square * square) / 1.1).min(1.0)
}

/// A white cell: pale plasma, perhaps granular, about a nucleus of one to five lobes.
struct Leukocyte {
    outline: Outline,
    lobes: Vec<(Point, f32)>,
    /// Eosin-red granules in the plasma.
    granular: f32,
    strength: f32,
}

impl Leukocyte {
    fn new(centre: Point, random: &mut Stream) -> Self {
        let count = [1, 2, 2, 3, 3, 4, 4, 5][random.below(8)];
        let radius = if count == 1 { random.range(62.0, 85.0) } else { random.range(75.0, 108.0) };
        Leukocyte {
            outline: Outline::new(centre, radius, 0.12, 0.04, random),
            lobes: lobes(centre, radius, count, random),
            granular: if count == 2 && random.chance(0.6) { random.range(0.5, 1.0) } else { 0.0 },
            strength: random.range(0.7, 1.15),
        }
    }

    fn draw(&self, slide: &Slide, smear: &mut Smear) {
        let soft = slide.blur / self.outline.radius;
        smear.absorb(self.outline.centre, self.outline.reach() + slide.blur, |place, texture| {
            let inside = 1.0 - smoothstep(1.0 - soft, 1.0 + soft, self.outline.depth(place));
            if inside == 0.0 {
                return [0.0; 3];
            }
            let grain = texture.at(place[0] / 4.5, place[1] / 4.5);
            let nucleus = self.nucleus(place, soft) * inside * self.strength;
            let chromatin = 1.0 + 0.22 * texture.at(place[0] / 11.0, place[1] / 11.0) + 0.1 * grain;
            let plasma = inside - 0.8 * nucleus.min(1.0);
            let granules = self.granular * plasma * (0.55 + 0.6 * grain).max(0.0);
            let eosin = [0.04, 0.42, 0.36];
            std::array::from_fn(|colour| {
                slide.nucleus[colour] * nucleus * chromatin
                    + slide.plasma[colour] * plasma * (1.0 + 0.3 * grain)
                    + eosin[colour] * granules
            })
        });
    }

    /// How much of the nucleus is at a place: lobes that melt into each other where they are near.
    fn nucleus(&self, place: Point, soft: f32) -> f32 {
        let sum: f32 = self
            .lobes
            .iter()
            .map(|(lobe, radius)| {
                let square = (place[0] - lobe[0]).powi(2) + (place[1] - lobe[1]).powi(2);
                (1.0 - square / (2.6 * radius * radius)).max(0.0).powi(2)
            })
            .sum();
        smoothstep(0.38 - 1.5 * soft, 0.38 + 1.5 * soft, sum)
    }
}

/// The lobes of a nucleus: along an arc, as a segmented nucleus lies in its cell.
fn lobes(centre: Point, radius: f32, count: usize, random: &mut Stream) -> Vec<(Point, f32)> {
    if count == 1 {
        let place = centre.map(|middle| middle + radius * random.range(-0.15, 0.15));
        return vec![(place, radius * random.range(0.6, 0.78))];
    }
    let start = TAU * random.unit();
    let step = if count == 2 { random.range(1.3, 2.8) } else { random.range(3.6, 5.2) / count as f32 };
    let out = radius * random.range(0.36, 0.48);
    let size = radius * [0.0, 0.0, 0.42, 0.33, 0.29, 0.26][count.min(5)];
    (0..count)
        .map(|lobe| {
            let angle = start + step * (lobe as f32 + random.range(-0.2, 0.2));
            let out = out * random.range(0.8, 1.15);
            ([centre[0] + out * angle.cos(), centre[1] + out * angle.sin()], size * random.range(0.85, 1.15))
        })
        .collect()
}

/// A platelet: a speck with darker granules.
struct Platelet {
    outline: Outline,
    granules: Vec<(Point, f32)>,
    strength: f32,
    hue: f32,
}

impl Platelet {
    fn new(centre: Point, random: &mut Stream) -> Self {
        let radius = random.range(12.0, 22.0);
        let granules = (0..3 + random.below(7))
            .map(|_| {
                let (sin, cos) = (TAU * random.unit()).sin_cos();
                let out = radius * random.range(0.0, 0.5);
                ([centre[0] + out * cos, centre[1] + out * sin], radius * random.range(0.16, 0.36))
            })
            .collect();
        Platelet {
            outline: Outline::new(centre, 0.72 * radius, 0.25, 0.12, random),
            granules,
            strength: random.range(0.3, 1.1),
            hue: random.range(-0.1, 0.14),
        }
    }

    fn draw(&self, slide: &Slide, smear: &mut Smear) {
        let soft = 0.6 * slide.blur / self.outline.radius + 0.22;
        let blur = 0.6 * slide.blur + 2.0;
        smear.absorb(self.outline.centre, self.outline.reach() * (1.0 + soft), |place, _| {
            let inside = 1.0 - smoothstep(1.0 - soft, 1.0 + soft, self.outline.depth(place));
            if inside == 0.0 {
                return [0.0; 3];
            }
            let granules: f32 = self
                .granules
                .iter()
                .map(|(granule, radius)| {
                    let distance = (place[0] - granule[0]).hypot(place[1] - granule[1]);
                    1.0 - smoothstep(radius - blur, radius + blur, distance)
                })
                .sum();
            let amount = inside * self.strength * (0.45 + 0.4 * granules.min(1.8));
            let [red, green, blue] = slide.nucleus;
            [(red * 0.85 + self.hue) * amount, green * 0.8 * amount, blue * 0.3 * amount]
        });
    }
}
