// SPDX-License-Identifier: MPL-2.0

//! Checks that a JPEG or PNG file is complete, by its markers or chunks, without decoding it.
//!
//! A camera or a network that drops data leaves files that are cut off. A server refuses such a picture, or worse,
//! describes half of it. So every part must lie inside the file, up to its end marker.

/// Type and size of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageInfo {
    /// File type.
    pub kind: Kind,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// File types that the API takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Kind {
    Jpeg,
    Png,
}

impl Kind {
    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }
}

/// Why a file is not a complete picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Empty.
    #[error("it is empty")]
    Empty,
    /// Neither JPEG nor PNG.
    #[error("it is neither a JPEG nor a PNG")]
    Unknown,
    /// Cut off.
    #[error("the {0} breaks off in its {1}")]
    BreaksOff(&'static str, &'static str),
    /// Malformed.
    #[error("the {0} is damaged in its {1}")]
    Damaged(&'static str, &'static str),
    /// No size, or a size of zero.
    #[error("the {0} has no size")]
    NoSize(&'static str),
    /// A size, but no image data.
    #[error("the {0} has no image in it")]
    NoImage(&'static str),
}

impl ImageError {
    /// Hint for streams whose buffers are not one picture each.
    pub fn hint(self) -> &'static str {
        match self {
            Self::BreaksOff("JPEG", _) | Self::Unknown => "; each buffer has to be a whole file: jpegparse makes it so",
            Self::BreaksOff(..) => "; each buffer has to be a whole file: pngparse makes it so",
            _ => "",
        }
    }
}

/// Checks a file. Data behind the end of the picture is ignored.
pub fn inspect(file: &[u8]) -> Result<ImageInfo, ImageError> {
    if file.is_empty() {
        Err(ImageError::Empty)
    } else if let Some(rest) = file.strip_prefix(b"\xff\xd8") {
        jpeg(rest)
    } else if let Some(rest) = file.strip_prefix(b"\x89PNG\r\n\x1a\n") {
        png(rest)
    } else {
        Err(ImageError::Unknown)
    }
}

/// Takes bytes from the front.
fn take<'a>(rest: &mut &'a [u8], length: usize, fault: ImageError) -> Result<&'a [u8], ImageError> {
    let (taken, left) = rest.split_at_checked(length).ok_or(fault)?;
    *rest = left;
    Ok(taken)
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + N)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// A JPEG behind its SOI marker: segments, scans of entropy-coded data, the EOI marker.
fn jpeg(mut rest: &[u8]) -> Result<ImageInfo, ImageError> {
    let breaks_off = |place| ImageError::BreaksOff("JPEG", place);
    let (mut size, mut has_scan) = (None, false);
    loop {
        match jpeg_mark(&mut rest)? {
            // EOI.
            0xd9 => break,
            // Markers without a segment.
            0x01 | 0xd0..=0xd7 => {}
            0xd8 => return Err(ImageError::Damaged("JPEG", "segments")),
            mark => {
                let length = number::<2>(rest, 0).ok_or(breaks_off("segments"))? as usize;
                if length < 2 {
                    return Err(ImageError::Damaged("JPEG", "segments"));
                }
                let place = if mark == 0xda { "image" } else { "header" };
                let segment = take(&mut rest, length, breaks_off(place))?;
                match mark {
                    // The frame headers are C0 to CF, but for tables (C4, CC) and C8.
                    0xc0..=0xcf if !matches!(mark, 0xc4 | 0xc8 | 0xcc) => {
                        let sides = (number::<2>(segment, 5), number::<2>(segment, 3));
                        let (Some(width @ 1..), Some(height @ 1..)) = sides else {
                            return Err(ImageError::NoSize("JPEG"));
                        };
                        size.get_or_insert((width, height));
                    }
                    0xda => {
                        skip_scan(&mut rest)?;
                        has_scan = true;
                    }
                    _ => {}
                }
            }
        }
    }
    let (width, height) = size.ok_or(ImageError::NoSize("JPEG"))?;
    if !has_scan {
        return Err(ImageError::NoImage("JPEG"));
    }
    Ok(ImageInfo { kind: Kind::Jpeg, width, height })
}

/// The next marker; any number of fill bytes FF may precede it.
fn jpeg_mark(rest: &mut &[u8]) -> Result<u8, ImageError> {
    let breaks_off = ImageError::BreaksOff("JPEG", "segments");
    if take(rest, 1, breaks_off)? != b"\xff" {
        return Err(ImageError::Damaged("JPEG", "segments"));
    }
    loop {
        match take(rest, 1, breaks_off)? {
            b"\xff" => {}
            b"\0" => return Err(ImageError::Damaged("JPEG", "segments")),
            mark => return Ok(mark[0]),
        }
    }
}

/// Skips entropy-coded data, in which FF is followed by 0 or by a restart marker.
fn skip_scan(rest: &mut &[u8]) -> Result<(), ImageError> {
    loop {
        let at = rest.iter().position(|byte| *byte == 0xff).ok_or(ImageError::BreaksOff("JPEG", "image"))?;
        *rest = &rest[at..];
        match rest.get(1) {
            Some(0 | 0xd0..=0xd7) => *rest = &rest[2..],
            Some(0xff) => *rest = &rest[1..],
            Some(_) => return Ok(()),
            None => return Err(ImageError::BreaksOff("JPEG", "image")),
        }
    }
}

/// A PNG behind its signature: chunks from IHDR, which has the size, to IEND.
fn png(mut rest: &[u8]) -> Result<ImageInfo, ImageError> {
    let (mut size, mut has_image) = (None, false);
    loop {
        let place = if has_image { "image" } else { "header" };
        let breaks_off = ImageError::BreaksOff("PNG", place);
        let length = number::<4>(rest, 0).ok_or(breaks_off)? as usize;
        let name: &[u8] = rest.get(4..8).ok_or(breaks_off)?;
        if !name.iter().all(u8::is_ascii_alphabetic) {
            return Err(ImageError::Damaged("PNG", place));
        }
        // Length, name and check sum are twelve bytes beside the data.
        let place = if name == b"IDAT" { "image" } else { place };
        let whole = length.checked_add(12).ok_or(ImageError::Damaged("PNG", place))?;
        let chunk = take(&mut rest, whole, ImageError::BreaksOff("PNG", place))?;
        match (size, name) {
            (None, b"IHDR") if length == 13 => {
                let sides = (number::<4>(chunk, 8), number::<4>(chunk, 12));
                let (Some(width @ 1..), Some(height @ 1..)) = sides else { return Err(ImageError::NoSize("PNG")) };
                size = Some((width, height));
            }
            (None, _) => return Err(ImageError::Damaged("PNG", "header")),
            (_, b"IDAT") => has_image = true,
            (Some(_), b"IEND") if !has_image => return Err(ImageError::NoImage("PNG")),
            (Some((width, height)), b"IEND") => return Ok(ImageInfo { kind: Kind::Png, width, height }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Vec<u8> {
        let path = format!("{}/tests/media/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn chunk(name: &[u8], data: &[u8]) -> Vec<u8> {
        [&(data.len() as u32).to_be_bytes(), name, data, &[0; 4]].concat()
    }

    fn header(width: u32, height: u32) -> Vec<u8> {
        let data = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
        chunk(b"IHDR", &data)
    }

    fn png_of(chunks: &[Vec<u8>]) -> Vec<u8> {
        [b"\x89PNG\r\n\x1a\n".to_vec(), chunks.concat()].concat()
    }

    fn whole_png() -> Vec<u8> {
        png_of(&[header(640, 480), chunk(b"tEXt", b"a"), chunk(b"IDAT", &[7; 50]), chunk(b"IEND", b"")])
    }

    #[test]
    fn whole_pictures_tell_their_size() {
        for name in ["china.jpg", "flower.jpg"] {
            let picture = inspect(&file(name)).unwrap_or_else(|fault| panic!("{name}: {fault}"));
            assert_eq!((picture.kind, picture.width, picture.height), (Kind::Jpeg, 640, 427), "{name}");
        }
        let png = ImageInfo { kind: Kind::Png, width: 640, height: 480 };
        assert_eq!(inspect(&whole_png()), Ok(png));
        // Some cameras fill up their buffers behind the end.
        assert_eq!(inspect(&[whole_png(), vec![0; 100]].concat()), Ok(png));
        assert!(inspect(&[file("china.jpg"), vec![0; 100]].concat()).is_ok());
    }

    #[test]
    fn a_picture_that_breaks_off_anywhere_is_none() {
        for whole in [file("china.jpg"), file("flower.jpg"), whole_png()] {
            let step = (whole.len() / 5_000).max(1);
            for length in (0..whole.len()).step_by(step).chain(whole.len().saturating_sub(30)..whole.len()) {
                assert!(inspect(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
            }
        }
    }

    #[test]
    fn faults_are_named_in_words() {
        let china = file("china.jpg");
        let words = |file: &[u8]| inspect(file).expect_err("no picture").to_string();
        assert_eq!(words(b""), "it is empty");
        assert_eq!(words(b"GIF89a"), "it is neither a JPEG nor a PNG");
        assert_eq!(words(&china[..china.len() / 2]), "the JPEG breaks off in its image");
        assert_eq!(words(&china[..10]), "the JPEG breaks off in its header");
        assert_eq!(words(b"\xff\xd8\xff\xd9"), "the JPEG has no size");
        assert_eq!(words(b"\xff\xd8\xff\xc0\0\x0b\x08\0\0\0\x10\0\0\0\xff\xd9"), "the JPEG has no size");
        assert_eq!(words(b"\xff\xd8\xff\xc0\0\x0b\x08\0\x10\0\x10\0\0\0\0\xff\xd9"), "the JPEG has no image in it");
        assert_eq!(words(b"\xff\xd8rubbish"), "the JPEG is damaged in its segments");
        let png = whole_png();
        assert_eq!(words(&png[..png.len() - 20]), "the PNG breaks off in its image");
        assert_eq!(words(&png_of(&[chunk(b"IDAT", b"a")])), "the PNG is damaged in its header");
        assert_eq!(words(&png_of(&[header(0, 480)])), "the PNG has no size");
        assert_eq!(words(&png_of(&[header(1, 1), chunk(b"IEND", b"")])), "the PNG has no image in it");
        assert_eq!(words(&png_of(&[header(1, 1), vec![0xff; 40]])), "the PNG is damaged in its header");
    }

    #[test]
    fn nothing_makes_it_panic() {
        // Numbers that look random and are the same each time (xorshift).
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        let mut dice = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 11) as usize % below
        };
        let china = file("china.jpg");
        let sources = [china[..3_000].to_vec(), china, whole_png()];
        let mut refused = 0;
        for round in 0..3_000 {
            let mut file = sources[round % sources.len()].clone();
            for _ in 0..dice(8) {
                let at = dice(file.len());
                match dice(3) {
                    0 => file[at] = [0, 0xff, 0xd9, 0xda, 0xc0, 0x80][dice(6)],
                    1 => drop(file.drain(at..(at + dice(200)).min(file.len()))),
                    _ => file.truncate(at.max(1)),
                }
                if file.is_empty() {
                    break;
                }
            }
            refused += usize::from(inspect(&file).is_err());
        }
        assert!(refused > 1_000, "only {refused} of them were refused");
    }
}
