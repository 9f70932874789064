//! `data.cache`: images that are kept decoded from epoch to epoch.

use super::{BadImage, Dataset};
use crate::augment::{Augmentation, Lead, Pixels};
use crate::spec::{Image, ImageMemory, Pipeline};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Of the memory that is free when a run begins, the share that images may take where the spec does not say: one
/// part in so many. The net has most of the rest, and the system keeps files in what neither takes.
const SHARE: u64 = 4;

/// What is allowed where the system does not tell how much memory is free.
const UNKNOWN: u64 = 512 << 20;

/// What keeping an image takes besides its bytes: its place in the table, two counters, its size.
const BESIDES: u64 = 128;

/// The ways of a run's images, as far as they are the same each time.
#[derive(Debug, Clone, PartialEq)]
pub struct Leads {
    /// Of images that train.
    pub training: Lead,
    /// Of images as they are.
    pub evaluation: Lead,
    /// Of the views of a test.
    pub views: Lead,
}

impl Leads {
    /// The leads of the ways that these settings make.
    pub fn new(image: &Image, augmentation: &Augmentation) -> Self {
        let views = augmentation.test.as_ref().map_or(&[][..], |test| &test.entries);
        Leads {
            training: Lead::new(image, &augmentation.train),
            evaluation: Lead::new(image, &[]),
            views: Lead::new(image, views),
        }
    }
}

/// Names a lead in a cache; never used again for another.
pub type Form = u32;

/// Images that are kept after the part of their way that is the same each time, as long as there is room. None
/// is dropped for another: every epoch visits all images once, so that what is dropped would be missed just as much.
/// What is found here is what would be made anew, to the last bit, so no result depends on what is kept.
#[derive(Debug)]
pub struct ImageCache {
    most: u64,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    forms: Vec<(Form, Lead)>,
    next: Form,
    images: HashMap<(Form, usize), Arc<Pixels>>,
    bytes: u64,
}

impl ImageCache {
    /// A cache that keeps up to so many bytes.
    pub fn up_to(most: u64) -> Self {
        ImageCache { most, state: RwLock::default() }
    }

    /// A cache that keeps nothing.
    pub fn off() -> Self {
        ImageCache::up_to(0)
    }

    /// Whether nothing is ever kept.
    pub fn is_off(&self) -> bool {
        self.most == 0
    }

    /// Bytes that are kept.
    pub fn bytes(&self) -> u64 {
        self.read().bytes
    }

    /// What leads are called here. Images of other leads are dropped, and not taken any more.
    pub fn admit(&self, leads: &[&Lead]) -> Vec<Form> {
        let mut state = self.write();
        let named = leads.iter().map(|lead| state.name(lead)).collect::<Vec<_>>();
        state.keep_only(&named);
        named
    }

    /// An image that is kept.
    pub fn get(&self, form: Form, place: usize) -> Option<Arc<Pixels>> {
        self.read().images.get(&(form, place)).cloned()
    }

    /// Keeps an image where there is room.
    pub fn put(&self, form: Form, place: usize, image: &Arc<Pixels>) {
        let size = image.bytes.len() as u64 + BESIDES;
        if self.is_off() || self.bytes().saturating_add(size) > self.most {
            return;
        }
        let mut state = self.write();
        let known = state.forms.iter().any(|(known, _)| *known == form);
        // Another thread may have been faster.
        if known && state.bytes + size <= self.most && state.images.insert((form, place), Arc::clone(image)).is_none() {
            state.bytes += size;
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn name(&mut self, lead: &Lead) -> Form {
        if let Some((form, _)) = self.forms.iter().find(|(_, known)| known == lead) {
            return *form;
        }
        let form = self.next;
        self.next += 1;
        self.forms.push((form, lead.clone()));
        form
    }

    fn keep_only(&mut self, forms: &[Form]) {
        self.forms.retain(|(form, _)| forms.contains(form));
        self.images.retain(|(form, _), _| forms.contains(form));
        self.bytes = self.images.values().map(|image| image.bytes.len() as u64 + BESIDES).sum();
    }
}

impl Dataset {
    /// The data with a cache as the spec says, which takes what its images come to.
    #[must_use]
    pub fn kept(mut self, spec: &Pipeline) -> Self {
        let most = if self.images.in_memory() { 0 } else { most(spec) };
        self.cache = Arc::new(ImageCache::up_to(most));
        self
    }

    /// An image after its lead, which the cache calls by `form`.
    pub fn image(&self, place: usize, form: Form, lead: &Lead) -> Result<Arc<Pixels>, BadImage> {
        if let Some(image) = self.cache.get(form, place) {
            return Ok(image);
        }
        let Some(sample) = self.samples.samples.get(place) else {
            return Err(BadImage { name: format!("sample {place}"), reason: "there is no such sample".to_owned() });
        };
        let image = Arc::new(lead.apply(self.images.read(sample)?));
        self.cache.put(form, place, &image);
        Ok(image)
    }
}

/// How many bytes of images a run of this spec may keep.
pub fn most(spec: &Pipeline) -> u64 {
    match spec.data.cache {
        Some(ImageMemory::Off) => 0,
        Some(ImageMemory::UpTo(bytes)) => bytes.0,
        // All that such a run may take is planned for.
        None if spec.memory_budget.is_some() => 0,
        None => free().map_or(UNKNOWN, |free| free / SHARE),
    }
}

/// Bytes of memory that can be had without anything else being pushed out, as far as the system says: the machine's,
/// or what the control group leaves.
fn free() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let machine = available(&read("/proc/meminfo")?)?;
    let number = |path: &str| read(path)?.trim().parse::<u64>().ok();
    let group = number("/sys/fs/cgroup/memory.max").zip(number("/sys/fs/cgroup/memory.current"));
    Some(group.map_or(machine, |(most, now)| machine.min(most.saturating_sub(now))))
}

/// `MemAvailable:   12345 kB`
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1 << 10)
}

/// What keeping all images of a run would take, as far as that can be told from a few of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Images.
    pub images: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// How many images are looked at for their size.
const LOOKED_AT: usize = 16;

impl Expected {
    /// What the images of a data set would take. Of images that are kept in their own size, a few are asked how large
    /// they are.
    pub fn of(data: &Dataset, leads: &Leads) -> Expected {
        let held_out: Vec<usize> = data.val.iter().chain(&data.test).copied().collect();
        let bytes = [(&data.train, &leads.training), (&held_out, &leads.evaluation)]
            .map(|(places, lead)| (places.len() as u64).saturating_mul(each(data, places, lead) + BESIDES));
        Expected { images: data.train.len() + held_out.len(), bytes: bytes[0].saturating_add(bytes[1]) }
    }
}

/// Bytes of an image after a lead, on average.
fn each(data: &Dataset, places: &[usize], lead: &Lead) -> u64 {
    let step = (places.len() / LOOKED_AT).max(1);
    let samples = places.iter().step_by(step).filter_map(|&place| data.samples.samples.get(place));
    let sizes: Vec<[usize; 3]> = samples.filter_map(|sample| data.images.size(sample)).collect();
    let bytes = sizes.iter().map(|&[height, width, channels]| {
        let [height, width] = lead.size().unwrap_or([height, width]);
        (height * width * channels) as u64
    });
    bytes.sum::<u64>() / (sizes.len() as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::{Augment, CenterCrop};
    use crate::plan::fixture;

    fn image(number: u8, side: usize) -> Arc<Pixels> {
        Arc::new(Pixels { height: side, width: side, channels: 1, bytes: vec![number; side * side] })
    }

    fn spec(more: &str) -> Pipeline {
        fixture::yaml(&format!(
            "{{ name: a, data: {{ source: {{ synthetic: blood_cells }}, image: {{ size: 8 }} {more} }}, \
             schedule: {{ phases: [] }} }}"
        ))
    }

    fn leads() -> [Lead; 2] {
        let image = spec("").data.image;
        [Lead::new(&image, &[]), Lead::new(&image, &[Augment::CenterCrop(CenterCrop::default())])]
    }

    #[test]
    fn what_fits_is_kept_and_nothing_is_dropped_for_another() {
        let cache = ImageCache::up_to(2 * (100 + BESIDES) + 99);
        let form = cache.admit(&[&leads()[0]])[0];
        for number in 0..3 {
            cache.put(form, usize::from(number), &image(number, 10));
        }
        let kept = |place: usize| cache.get(form, place).map(|image| image.bytes[0]);
        assert_eq!([kept(0), kept(1), kept(2)], [Some(0), Some(1), None]);
        cache.put(form, 1, &image(1, 10));
        assert_eq!(cache.bytes(), 2 * (100 + BESIDES), "the same image counts once");
        ImageCache::off().put(form, 0, &image(0, 1));
        assert_eq!(ImageCache::off().bytes(), 0);
    }

    #[test]
    fn images_of_a_lead_that_is_gone_are_neither_found_nor_taken() {
        let cache = ImageCache::up_to(1 << 20);
        let [fit, centre] = leads();
        let forms = cache.admit(&[&fit, &fit]);
        assert_eq!(forms[0], forms[1]);
        cache.put(forms[0], 0, &image(1, 4));
        let both = cache.admit(&[&centre, &fit]);
        assert_eq!(both[1], forms[0]);
        assert!(cache.get(both[1], 0).is_some() && cache.get(both[0], 0).is_none());
        cache.admit(&[&centre]);
        cache.put(forms[0], 1, &image(1, 4));
        assert_eq!(cache.bytes(), 0);
        let again = cache.admit(&[&fit])[0];
        assert!(again != forms[0] && cache.get(again, 0).is_none());
    }

    #[test]
    fn how_much_is_kept_is_what_the_spec_says() {
        assert_eq!(most(&spec(", cache: off")), 0);
        assert_eq!(most(&spec(", cache: 1MiB")), 1 << 20);
        assert!(most(&spec("")) > 0);
        let budget = Pipeline { memory_budget: Some(crate::spec::Bytes(1 << 30)), ..spec("") };
        assert_eq!(most(&budget), 0);
    }

    #[test]
    fn free_memory_is_read_as_linux_writes_it() {
        let text = "MemTotal:       24639496 kB\nMemFree:        15861580 kB\nMemAvailable:   21266160 kB\n";
        assert_eq!(available(text), Some(21_266_160 << 10));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
    }
}
