use super::*;
use image::{ColorType, ExtendedColorType, ImageBuffer, ImageEncoder, Luma, LumaA, Rgb, Rgba};
use proptest::prelude::*;

/// A 7x5 image whose red grows with x and whose green grows with y.
fn ramp() -> ImageBuffer<Rgb<u8>, Vec<u8>> {
    ImageBuffer::from_fn(7, 5, |x, y| Rgb([x as u8 * 30, y as u8 * 40, 128]))
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The ramp as a JPEG large enough to have a middle.
fn jpeg() -> Vec<u8> {
    let image = ImageBuffer::from_fn(64, 64, |x, y| Rgb([x as u8 * 4, y as u8 * 4, ((x * y) % 251) as u8]));
    encoded(&DynamicImage::ImageRgb8(image), ImageFormat::Jpeg)
}

fn reason_of(bytes: &[u8]) -> String {
    let bad = decode("a/b.jpg", bytes).unwrap_err();
    assert_eq!(bad.name, "a/b.jpg");
    bad.reason
}

#[test]
fn every_kind_is_read() {
    let image = DynamicImage::ImageRgb8(ramp());
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP] {
        let pixels = decode("x", &encoded(&image, format)).unwrap();
        assert_eq!((pixels.height, pixels.width, pixels.channels), (5, 7, 3), "{format:?}");
        assert_eq!(pixels.bytes, ramp().into_raw(), "{format:?}");
    }
    for format in [ImageFormat::Jpeg, ImageFormat::Gif] {
        let pixels = decode("x", &encoded(&image, format)).unwrap();
        let near = pixels.bytes.iter().zip(ramp().into_raw()).filter(|(a, b)| a.abs_diff(*b) < 48).count();
        assert_eq!((pixels.height, pixels.width, pixels.channels), (5, 7, 3), "{format:?}");
        assert!(near * 10 > pixels.bytes.len() * 9, "{format:?}: {near} of {}", pixels.bytes.len());
    }
}

#[test]
fn grey_stays_grey() {
    let grey = DynamicImage::ImageLuma8(ImageBuffer::from_fn(3, 2, |x, y| Luma([(x + 10 * y) as u8])));
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff] {
        let pixels = decode("x", &encoded(&grey, format)).unwrap();
        let expected = if pixels.channels == 1 { grey.to_luma8().into_raw() } else { grey.to_rgb8().into_raw() };
        assert_eq!(pixels.bytes, expected, "{format:?}");
    }
    assert_eq!(decode("x", &encoded(&grey, ImageFormat::Jpeg)).unwrap().channels, 1);
}

#[test]
fn sixteen_bits_are_scaled_to_eight() {
    let wide = ImageBuffer::from_fn(3, 1, |x, _| Rgb([[0_u16, 32_768, 65_535][x as usize], 257, 256 * 200]));
    let pixels = decode("x", &encoded(&DynamicImage::ImageRgb16(wide), ImageFormat::Png)).unwrap();
    assert_eq!(pixels.bytes, [0, 1, 199, 128, 1, 199, 255, 1, 199]);
    let grey = DynamicImage::ImageLuma16(ImageBuffer::from_pixel(1, 1, Luma([65_535])));
    assert_eq!(decode("x", &encoded(&grey, ImageFormat::Tiff)).unwrap().bytes, [255]);
}

#[test]
fn transparent_pixels_are_composited_on_black() {
    let image = ImageBuffer::from_fn(3, 1, |x, _| Rgba([200, 100, 50, [255, 128, 0][x as usize]]));
    let pixels = decode("x", &encoded(&DynamicImage::ImageRgba8(image), ImageFormat::Png)).unwrap();
    assert_eq!((pixels.channels, pixels.bytes), (3, vec![200, 100, 50, 100, 50, 25, 0, 0, 0]));
    let grey = ImageBuffer::from_fn(2, 1, |x, _| LumaA([80, [255, 0][x as usize]]));
    let pixels = decode("x", &encoded(&DynamicImage::ImageLumaA8(grey), ImageFormat::Png)).unwrap();
    assert_eq!((pixels.channels, pixels.bytes), (1, vec![80, 0]));
}

#[test]
fn palettes_become_colours() {
    // A 2x1 PNG of bit depth 1 with the palette red, green; written by hand, chunk by chunk.
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], data: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(data);
        png.extend((data.len() as u32).to_be_bytes());
        png.extend(kind);
        png.extend(data);
        png.extend(crc.sum().to_be_bytes());
    };
    chunk(b"IHDR", &[0, 0, 0, 2, 0, 0, 0, 1, 1, 3, 0, 0, 0]);
    chunk(b"PLTE", &[255, 0, 0, 0, 255, 0]);
    // zlib: a stored block of the filter byte 0 and the bits 01.
    chunk(b"IDAT", &[0x78, 0x01, 0x01, 2, 0, 0xfd, 0xff, 0, 0b0100_0000, 0x00, 0x42, 0x00, 0x41]);
    chunk(b"IEND", &[]);
    let pixels = decode("x", &png).unwrap();
    assert_eq!((pixels.width, pixels.channels, pixels.bytes), (2, 3, vec![255, 0, 0, 0, 255, 0]));
}

#[test]
fn the_orientation_of_exif_is_applied() {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 100);
    // TIFF, little-endian, one entry: tag 0x0112 (orientation), SHORT, 6 (turn by 90 degrees).
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    encoder.set_exif_metadata(exif.to_vec()).unwrap();
    let image = ImageBuffer::from_fn(32, 16, |x, _| Luma([if x < 16 { 0_u8 } else { 255 }]));
    encoder.write_image(image.as_raw(), 32, 16, ExtendedColorType::L8).unwrap();
    let pixels = decode("x", &bytes).unwrap();
    assert_eq!(pixels.size(), [32, 16]);
    assert!(pixels.bytes[5 * 16 + 5] < 20 && pixels.bytes[27 * 16 + 5] > 235, "left became top");
}

/// A baseline JPEG of one 8x8 block a component, every block flat: `levels` are the DC values.
fn flat_jpeg(levels: &[i32], adobe: Option<u8>) -> Vec<u8> {
    let mut jpeg = vec![0xff, 0xd8];
    let mut segment = |marker: u8, data: &[u8]| {
        jpeg.extend([0xff, marker]);
        jpeg.extend((data.len() as u16 + 2).to_be_bytes());
        jpeg.extend(data);
    };
    if let Some(transform) = adobe {
        segment(0xee, &[b"Adobe\0\x64\0\0\0\0".as_slice(), &[transform]].concat());
    }
    segment(0xdb, &[vec![0], vec![1; 64]].concat());
    let components: Vec<u8> = (1..=levels.len() as u8).flat_map(|id| [id, 0x11, 0]).collect();
    segment(0xc0, &[&[8, 0, 8, 0, 8, levels.len() as u8], components.as_slice()].concat());
    // DC table: one code of length 1 (`0`) for category 11. AC table: `0` ends the block.
    let table = |class: u8, value: u8| [vec![class, 1], vec![0; 15], vec![value]].concat();
    segment(0xc4, &table(0x00, 11));
    segment(0xc4, &table(0x10, 0));
    let scans: Vec<u8> = (1..=levels.len() as u8).flat_map(|id| [id, 0]).collect();
    segment(0xda, &[&[levels.len() as u8], scans.as_slice(), &[0, 63, 0]].concat());
    let mut bits = String::new();
    for level in levels {
        // Category 11 holds magnitudes of 1024 to 2047; negative ones are written less one.
        let code = if *level > 0 { *level } else { *level + 2047 };
        bits.push_str(&format!("0{code:011b}0"));
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    for byte in bits.as_bytes().chunks(8) {
        let byte = byte.iter().fold(0_u8, |byte, bit| byte << 1 | (bit - b'0'));
        jpeg.push(byte);
        if byte == 0xff {
            jpeg.push(0);
        }
    }
    jpeg.extend([0xff, 0xd9]);
    jpeg
}

#[test]
fn cmyk_jpegs_are_read_as_colours() {
    // A level of -1024 is the value 0, one of 1024 is 255 (128 + 1024 / 8 = 256, cut). Adobe stores
    // inks inverted: 255 is none. Cyan ink alone: C 0, M 255, Y 255, K 255.
    let cyan = decode("x", &flat_jpeg(&[-1024, 1024, 1024, 1024], Some(0))).unwrap();
    assert_eq!((cyan.height, cyan.width, cyan.channels), (8, 8, 3));
    assert!(cyan.bytes[0] < 5 && cyan.bytes[1] > 250 && cyan.bytes[2] > 250, "{:?}", &cyan.bytes[..3]);
    // Full black over white paper.
    let black = decode("x", &flat_jpeg(&[1024, 1024, 1024, -1024], Some(0))).unwrap();
    assert!(black.bytes.iter().all(|&value| value < 5), "{:?}", &black.bytes[..3]);
}

#[test]
fn ycck_jpegs_are_read_as_colours() {
    // Y 0 is black before inversion: all inks full, so the image is black whatever K says.
    let image = decode("x", &flat_jpeg(&[-1024, 1024, 1024, -1024], Some(2))).unwrap();
    assert_eq!((image.channels, image.bytes.len()), (3, 192));
    assert!(image.bytes.iter().all(|&value| value < 5), "{:?}", &image.bytes[..3]);
}

#[test]
fn one_pixel_is_an_image() {
    let dot = DynamicImage::ImageRgb8(ImageBuffer::from_pixel(1, 1, Rgb([1, 2, 3])));
    assert_eq!(decode("x", &encoded(&dot, ImageFormat::Png)).unwrap().bytes, [1, 2, 3]);
}

#[test]
fn what_is_no_image_is_said_to_be_none() {
    assert_eq!(reason_of(b""), "the file is empty");
    for bytes in [b"hello, world".as_slice(), b"%PDF-1.4", b"\xff", b"PK\x03\x04", &[0; 1000]] {
        assert!(reason_of(bytes).starts_with("not an image"), "{bytes:?}");
    }
}

#[test]
fn cut_files_are_reported_and_never_half_grey() {
    let image = DynamicImage::ImageRgb8(ImageBuffer::from_fn(64, 64, |x, y| {
        Rgb([x as u8 * 4, y as u8 * 4, ((x * y * 7) % 251) as u8])
    }));
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::Gif] {
        let whole = encoded(&image, format);
        for share in [10, 50, 90, 99] {
            let cut = &whole[..whole.len() * share / 100];
            assert!(decode("x", cut).is_err(), "{format:?} at {share} %");
        }
    }
    let whole = jpeg();
    assert!(decode("x", &whole).is_ok());
    assert_eq!(reason_of(&whole[..whole.len() - 2]), "the JPEG is cut short: its end is missing");
    assert!(decode("x", &[whole, vec![0; 100]].concat()).is_ok(), "what follows the end is no matter");
}

/// A PNG header that claims a size; no pixels follow.
fn png_that_claims(width: u32, height: u32) -> Vec<u8> {
    let mut data = b"IHDR".to_vec();
    data.extend(width.to_be_bytes());
    data.extend(height.to_be_bytes());
    data.extend([8, 2, 0, 0, 0]);
    let mut crc = flate2::Crc::new();
    crc.update(&data);
    [b"\x89PNG\r\n\x1a\n\0\0\0\x0d".as_slice(), &data, &crc.sum().to_be_bytes(), b"\0\0\0\0IDAT\x35\xaf\x06\x1e"]
        .concat()
}

#[test]
fn sizes_that_would_exhaust_memory_are_refused_before_it_is_asked_for() {
    assert!(reason_of(&png_that_claims(20_000, 20_000)).contains("20000x20000 pixels are too many"));
    assert!(decode("x", &png_that_claims(u32::MAX >> 1, u32::MAX >> 1)).is_err());
    assert!(decode("x", &png_that_claims(0, 10)).is_err());
}

#[test]
fn a_large_image_is_read() {
    // Grey, so that the test needs 144 MB and not 432.
    let bytes = {
        let large = ImageBuffer::from_fn(12_000, 12_000, |x, _| Luma([(x >> 6) as u8]));
        let mut bytes = Vec::new();
        image::codecs::png::PngEncoder::new_with_quality(
            &mut bytes,
            image::codecs::png::CompressionType::Fast,
            image::codecs::png::FilterType::NoFilter,
        )
        .write_image(large.as_raw(), 12_000, 12_000, ColorType::L8.into())
        .unwrap();
        bytes
    };
    let pixels = decode("x", &bytes).unwrap();
    assert_eq!((pixels.size(), pixels.bytes[11_999]), ([12_000, 12_000], 187));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_changes_never_panic(
        kind in 0_usize..6,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let format = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP][kind];
        let mut bytes = encoded(&DynamicImage::ImageRgb8(ramp()), format);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(pixels) = decode("x", &bytes) {
            prop_assert_eq!(pixels.bytes.len(), pixels.height * pixels.width * pixels.channels);
            prop_assert!(!pixels.bytes.is_empty());
        }
    }
}
