//! Finds a data set: in the user's folder, in the cache, else on the network.

use super::{Entry, archive, fetch, prepared};
use crate::data::{DataError, Places, Samples, manifest};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Where a data set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder that was prepared by this program, and can be checked.
    Prepared(PathBuf),
    /// An archive from which it can be prepared.
    Archive(PathBuf),
    /// A folder with a manifest that somebody else made.
    Unchecked(PathBuf),
    /// Nowhere near.
    Download,
}

/// A data set that was had.
#[derive(Debug)]
pub struct Had {
    /// Its samples, without splits of their own.
    pub samples: Samples,
    /// A temporary folder that holds the images.
    pub keep: Option<TempDir>,
    /// What a person should know of where it comes from.
    pub note: Option<String>,
}

/// Where a data set is to be had from first. Neither the network nor an image is touched.
pub fn locate(entry: &Entry, places: &Places) -> Location {
    locations(entry, places).into_iter().next().unwrap_or(Location::Download)
}

/// Has a data set, from the first place that gives it whole. A place that fails is passed over with
/// a warning; an error names them all.
pub fn obtain(entry: &Entry, places: &Places) -> Result<Had, DataError> {
    let mut reasons: Vec<String> = Vec::new();
    if let Some(data) = places.data.as_ref().filter(|data| !data.is_dir()) {
        reasons.push(format!("RUNNER_DATA is {}, which is no folder", data.display()));
    }
    for location in locations(entry, places) {
        match have(entry, &location, places.cache.as_deref()) {
            Ok(had) => {
                for reason in reasons {
                    tracing::warn!("{}: {reason}", entry.name);
                }
                return Ok(had);
            }
            Err(reason) => reasons.push(match location {
                Location::Prepared(path) | Location::Archive(path) | Location::Unchecked(path) => {
                    format!("{}: {reason}", path.display())
                }
                Location::Download => reason,
            }),
        }
    }
    Err(DataError::Unavailable(reasons.join("; ")))
}

/// All places that may have a data set, in the order in which they are asked: the user's folder
/// (prepared, as an archive, made by somebody else), the cache, the network. A set prepared into
/// the cache stands for any archive, as the archive's files are known by their hashes.
fn locations(entry: &Entry, places: &Places) -> Vec<Location> {
    let mut locations = Vec::new();
    let prepared = |folder: &Path| {
        let folder = folder.join(entry.name);
        prepared::claims(entry, &folder).then_some(Location::Prepared(folder))
    };
    let archive = |folder: &Path| {
        let file = entry.archives.iter().map(|name| folder.join(name)).find(|file| file.is_file());
        file.map(Location::Archive)
    };
    let cached = places.cache.as_deref().and_then(prepared);
    if let Some(data) = &places.data {
        let here = prepared(data);
        let folder = data.join(entry.name);
        let made = here.is_none() && folder.join(prepared::MANIFEST).is_file();
        locations.extend(here);
        if let Some(archive) = archive(data) {
            locations.extend(cached.clone());
            locations.push(archive);
        }
        locations.extend(made.then_some(Location::Unchecked(folder)));
    }
    locations.extend(cached.filter(|cached| !locations.contains(cached)));
    locations.extend(places.cache.as_deref().and_then(archive));
    locations.push(Location::Download);
    locations
}

fn have(entry: &Entry, location: &Location, cache: Option<&Path>) -> Result<Had, String> {
    match location {
        Location::Prepared(folder) => Ok(Had { samples: prepared::open(entry, folder)?, keep: None, note: None }),
        Location::Archive(file) => prepare(entry, &archive::read(file, entry.needs)?, cache),
        Location::Unchecked(folder) => unchecked(entry, folder),
        Location::Download => prepare(entry, &fetch::archive(entry, cache)?, cache),
    }
}

fn prepare(entry: &Entry, archive: &archive::Archive, cache: Option<&Path>) -> Result<Had, String> {
    let (folder, keep) = prepared::write(entry, archive, cache)?;
    Ok(Had { samples: prepared::open(entry, &folder)?, keep, note: None })
}

/// A folder that somebody else made: taken for the data set when its classes are the same. Splits
/// that it gives are not kept, since the data set has none: the spec's shares are to mean the same
/// wherever the images come from.
fn unchecked(entry: &Entry, folder: &Path) -> Result<Had, String> {
    let mut samples = manifest::list(&folder.join(prepared::MANIFEST), None).map_err(|error| error.to_string())?;
    if samples.classes != entry.classes {
        return Err(format!(
            "its classes ({}) are not those of {} ({})",
            samples.classes.join(", "),
            entry.name,
            entry.classes.join(", ")
        ));
    }
    if entry.group.is_some() && samples.samples.iter().any(|sample| sample.group.is_none()) {
        return Err("its manifest has no column `group`".into());
    }
    for sample in &mut samples.samples {
        sample.split = None;
    }
    Ok(Had { samples, keep: None, note: Some(format!("unchecked, in {}", folder.display())) })
}

#[cfg(test)]
mod tests {
    use super::super::testing::small;
    use super::*;
    use std::fs;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::{Duration, Instant};
    use tempfile::tempdir;

    /// A server that gives `status` and `body` to whoever asks, and its address.
    fn server(status: &'static str, body: Vec<u8>, claimed: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/small.tar.gz", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let _ = connection.read(&mut [0; 4096]);
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {claimed}\r\nConnection: close\r\n\r\n");
                let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(&body));
            }
        });
        address
    }

    /// An address at which nobody answers.
    fn nobody() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/small.tar.gz", listener.local_addr().unwrap())
    }

    struct House {
        data: TempDir,
        cache: TempDir,
        entry: Entry,
        archive: Vec<u8>,
    }

    impl House {
        fn new() -> Self {
            let (entry, archive) = small(nobody());
            House { data: tempdir().unwrap(), cache: tempdir().unwrap(), entry, archive }
        }

        fn places(&self) -> Places {
            Places { data: Some(self.data.path().into()), cache: Some(self.cache.path().join("sets")) }
        }

        fn with_archive(self) -> Self {
            fs::write(self.data.path().join("small.tar.gz"), &self.archive).unwrap();
            self
        }

        fn prepared(&self) -> PathBuf {
            self.cache.path().join("sets/blood_cells")
        }

        fn obtain(&self) -> Result<Had, DataError> {
            obtain(&self.entry, &self.places())
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn an_archive_is_prepared_into_the_cache_once() {
        let house = House::new().with_archive();
        assert!(matches!(locate(&house.entry, &house.places()), Location::Archive(_)));
        let had = house.obtain().unwrap();
        assert_eq!(had.samples.classes, ["erythrocyte", "leukocyte", "platelet"]);
        let count = |label| had.samples.samples.iter().filter(|sample| sample.label == label).count();
        // Five photographs of three sound erythrocytes, a leukocyte and two platelets.
        assert_eq!([count(0), count(1), count(2)], [10, 5, 10]);
        assert!(had.samples.samples.iter().all(|sample| sample.group.is_some() && sample.split.is_none()));
        assert_eq!(had.samples.samples[10].name, "leukocyte/Photo_0_00.png");
        assert_eq!(had.samples.samples[10].group.as_deref(), Some("Photo_0"));
        let image = image::open(house.prepared().join("leukocyte/Photo_0_00.png")).unwrap();
        assert_eq!((image.width(), image.height(), image.color()), (96, 96, image::ColorType::Rgb8));
        assert_eq!(
            names(&house.prepared()),
            ["LICENSE", "erythrocyte", "leukocyte", "manifest.csv", "platelet", "prepared.json"]
        );
        assert_eq!(fs::read_to_string(house.prepared().join("LICENSE")).unwrap(), "MIT License");
        assert_eq!(names(house.data.path()), ["small.tar.gz"]);
        // The second time, the archive is not read any more.
        fs::write(house.data.path().join("small.tar.gz"), "damaged since").unwrap();
        assert_eq!(locate(&house.entry, &house.places()), Location::Prepared(house.prepared()));
        assert_eq!(house.obtain().unwrap().samples, had.samples);
        assert_eq!(names(&house.cache.path().join("sets")), ["blood_cells"]);
    }

    #[test]
    fn a_crop_shows_the_cell() {
        let house = House::new().with_archive();
        house.obtain().unwrap();
        let image = image::open(house.prepared().join("leukocyte/Photo_0_00.png")).unwrap().into_rgb8();
        // The box (10, 10, 40, 35) makes a square of 36 from (7, 4.5); red rises by 3 a column.
        let red = |x: u32| f64::from(image.get_pixel(x, 48)[0]);
        assert!((red(0) - 3.0 * 7.0).abs() < 6.0 && (red(95) - 3.0 * 42.0).abs() < 6.0, "{} {}", red(0), red(95));
    }

    #[test]
    fn a_damaged_set_is_prepared_again() {
        let house = House::new().with_archive();
        let had = house.obtain().unwrap();
        let image = house.prepared().join("platelet/Photo_3_03.png");
        let sound = fs::read(&image).unwrap();
        let damage: [&dyn Fn(); 4] = [
            &|| fs::write(&image, &sound[..20]).unwrap(),
            &|| fs::remove_file(&image).unwrap(),
            &|| fs::write(house.prepared().join("manifest.csv"), "path,label,group\n../x.png,platelet,a\n").unwrap(),
            &|| fs::write(house.prepared().join("prepared.json"), "{}").unwrap(),
        ];
        for damage in damage {
            damage();
            assert_eq!(house.obtain().unwrap().samples, had.samples);
            assert_eq!(fs::read(&image).unwrap(), sound);
        }
        assert_eq!(names(&house.cache.path().join("sets")), ["blood_cells"]);
    }

    #[test]
    fn a_set_of_another_version_is_prepared_again() {
        let mut house = House::new().with_archive();
        house.obtain().unwrap();
        house.entry.version += 1;
        assert!(matches!(locate(&house.entry, &house.places()), Location::Archive(_)));
        house.obtain().unwrap();
        assert!(matches!(locate(&house.entry, &house.places()), Location::Prepared(_)));
    }

    #[test]
    fn a_prepared_set_may_be_handed_on() {
        let (giver, taker) = (House::new().with_archive(), House::new());
        giver.obtain().unwrap();
        fs::rename(giver.prepared(), taker.data.path().join("blood_cells")).unwrap();
        let had = taker.obtain().unwrap();
        assert_eq!((had.samples.samples.len(), had.note), (25, None));
    }

    #[test]
    fn a_folder_that_somebody_else_made_is_taken_last_and_told() {
        let house = House::new();
        let made = house.data.path().join("blood_cells");
        fs::create_dir(&made).unwrap();
        let manifest =
            "path,label,group,split\n1.png,leukocyte,a,train\n2.png,platelet,b,test\n3.png,erythrocyte,c,val\n";
        fs::write(made.join("manifest.csv"), manifest).unwrap();
        let had = house.obtain().unwrap();
        assert_eq!(had.note, Some(format!("unchecked, in {}", made.display())));
        assert!(had.samples.samples.iter().all(|sample| sample.split.is_none()));
        assert_eq!(had.samples.samples.len(), 3);
        let house = house.with_archive();
        assert_eq!(house.obtain().unwrap().samples.samples.len(), 25);
    }

    #[test]
    fn a_folder_of_other_classes_is_not_taken() {
        let house = House::new();
        fs::create_dir(house.data.path().join("blood_cells")).unwrap();
        fs::write(house.data.path().join("blood_cells/manifest.csv"), "path,label\n1.png,cat\n").unwrap();
        let message = house.obtain().unwrap_err().to_string();
        assert!(message.contains("its classes (cat) are not those of blood_cells"), "{message}");
        assert!(message.contains("could not be downloaded"), "{message}");
    }

    #[test]
    fn archives_that_are_not_what_they_should_be_are_told() {
        let house = House::new();
        let files = super::super::testing::files(2);
        let files: Vec<(String, &[u8])> = files.iter().map(|(p, b)| (format!("x/{p}"), b.as_slice())).collect();
        let other = super::super::testing::tar_gz(&files.iter().map(|(p, b)| (p.as_str(), *b)).collect::<Vec<_>>());
        fs::write(house.data.path().join("small.tar.gz"), other).unwrap();
        let message = house.obtain().unwrap_err().to_string();
        assert!(message.contains("small.tar.gz: its files are not those that are expected"), "{message}");
        fs::write(house.data.path().join("small.tar.gz"), &house.archive[..200]).unwrap();
        let message = house.obtain().unwrap_err().to_string();
        assert!(message.contains("it is no sound .tar.gz archive"), "{message}");
        assert!(!house.prepared().exists());
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_no_matter() {
        let house = House::new().with_archive();
        // A file where the folder should be: nobody can write below it, whatever the rights.
        fs::write(house.cache.path().join("sets"), "").unwrap();
        let had = house.obtain().unwrap();
        let folder = had.keep.as_ref().unwrap().path().to_owned();
        assert!(folder.join("manifest.csv").is_file());
        assert_eq!(had.samples.samples.len(), 25);
        drop(had);
        assert!(!folder.exists());
    }

    #[test]
    fn a_download_is_checked_kept_and_prepared() {
        let mut house = House::new();
        house.entry.url = server("200 OK", house.archive.clone(), house.archive.len()).leak();
        assert_eq!(locate(&house.entry, &house.places()), Location::Download);
        assert_eq!(house.obtain().unwrap().samples.samples.len(), 25);
        assert_eq!(names(&house.cache.path().join("sets")), ["blood_cells", "small.tar.gz"]);
        // From now on no network is needed, even if the prepared set goes.
        house.entry.url = nobody().leak();
        fs::remove_dir_all(house.prepared()).unwrap();
        assert_eq!(house.obtain().unwrap().samples.samples.len(), 25);
    }

    #[test]
    fn downloads_that_fail_are_told_soon_and_leave_nothing() {
        let mut house = House::new();
        let archive = house.archive.clone();
        let half = archive[..archive.len() / 2].to_vec();
        for (url, reason) in [
            (nobody(), "could not be downloaded"),
            ("http://name.invalid/small.tar.gz".to_owned(), "could not be downloaded"),
            (server("404 Not Found", Vec::new(), 0), "404"),
            (server("200 OK", half.clone(), archive.len()), "could not be downloaded"),
            (server("200 OK", half.clone(), half.len()), "it is no sound .tar.gz archive"),
            (server("200 OK", b"<html>log in</html>".to_vec(), 19), "it is no sound .tar.gz archive"),
        ] {
            house.entry.url = url.clone().leak();
            let start = Instant::now();
            let error = house.obtain().unwrap_err();
            assert!(matches!(error, DataError::Unavailable(_)));
            assert!(error.to_string().contains(reason) && error.to_string().contains(&url), "{error}");
            assert!(start.elapsed() < Duration::from_secs(12), "{url} took {:?}", start.elapsed());
            assert_eq!(names(&house.cache.path().join("sets")), [""; 0]);
        }
    }

    #[test]
    fn a_folder_that_is_none_is_told() {
        let house = House::new();
        let places = Places { data: Some(house.data.path().join("none")), cache: None };
        let message = obtain(&house.entry, &places).unwrap_err().to_string();
        assert!(message.starts_with("RUNNER_DATA is ") && message.contains("which is no folder; http://"), "{message}");
    }

    #[test]
    fn the_real_archive_gives_all_cells() {
        let shared = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
        let entry = super::super::find("blood_cells").unwrap();
        if !entry.archives.iter().any(|name| shared.join(name).is_file()) {
            eprintln!("skipped: {} holds no archive of BCCD", shared.display());
            return;
        }
        let cache = tempdir().unwrap();
        let places = Places { data: Some(shared.into()), cache: Some(cache.path().into()) };
        let start = Instant::now();
        let had = obtain(entry, &places).unwrap();
        eprintln!("prepared in {:?}", start.elapsed());
        assert_eq!((had.note, had.samples.samples.len()), (None, entry.images));
        assert_eq!(had.samples.classes, entry.classes);
        let count = |label| had.samples.samples.iter().filter(|sample| sample.label == label).count();
        assert_eq!([count(0), count(1), count(2)], [372, 372, 361]);
        let start = Instant::now();
        obtain(entry, &places).unwrap();
        eprintln!("opened again in {:?}", start.elapsed());
        let split = crate::spec::Split::default();
        let parts = crate::data::split::divide(&had.samples, &split, 7).unwrap();
        let labels = |places: &[usize]| {
            let mut counts = [0; 3];
            for place in places {
                counts[had.samples.samples[*place].label] += 1;
            }
            counts
        };
        for (places, share) in [(&parts.train, 0.7), (&parts.val, 0.15), (&parts.test, 0.15)] {
            for (class, count) in labels(places).into_iter().enumerate() {
                let wanted = [372.0, 372.0, 361.0][class] * share;
                assert!((f64::from(count) - wanted).abs() < 4.0, "{class}: {count} for {wanted}");
            }
        }
    }
}
