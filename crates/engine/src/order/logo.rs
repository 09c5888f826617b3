//! Logos: small pictures of three kinds, checked byte by byte before they are kept.

use usher_storage::query::order::LogoRow;

use super::svg;
use crate::EngineError;

/// The most bytes of a logo.
const MAX_LEN: usize = 1024 * 1024;

/// The most pixels on a side.
const MAX_SIDE: u32 = 8192;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A picture that is safe to show: PNG and JPEG as they came and well-formed on the outside, SVG written anew
/// from an allow-list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo {
    media_type: &'static str,
    bytes: Vec<u8>,
}

impl Logo {
    /// Checks a picture; its kind is found from its content.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] says what is wrong: too large, of another kind, cut off, or an SVG that could do
    /// or fetch something.
    pub fn new(bytes: &[u8]) -> Result<Self, EngineError> {
        if bytes.len() > MAX_LEN {
            return invalid("is larger than 1 MiB: make it smaller");
        }
        if bytes.starts_with(PNG) {
            check_png(bytes)?;
            return Ok(Self::keep("image/png", bytes));
        }
        if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
            check_jpeg(bytes)?;
            return Ok(Self::keep("image/jpeg", bytes));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if text.contains("<svg") => Ok(Self {
                media_type: "image/svg+xml",
                bytes: svg::rewrite(text)?.into_bytes(),
            }),
            _ => invalid("is neither PNG, JPEG nor SVG: save it as one of these"),
        }
    }

    /// `image/png`, `image/jpeg` or `image/svg+xml`.
    #[must_use]
    pub fn media_type(&self) -> &str {
        self.media_type
    }

    /// The picture.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn keep(media_type: &'static str, bytes: &[u8]) -> Self {
        Self {
            media_type,
            bytes: bytes.to_vec(),
        }
    }
}

impl From<Logo> for LogoRow {
    fn from(logo: Logo) -> Self {
        Self {
            media_type: logo.media_type.to_owned(),
            bytes: logo.bytes,
        }
    }
}

impl From<LogoRow> for Logo {
    fn from(row: LogoRow) -> Self {
        let media_type = match row.media_type.as_str() {
            "image/png" => "image/png",
            "image/jpeg" => "image/jpeg",
            _ => "image/svg+xml",
        };
        Self {
            media_type,
            bytes: row.bytes,
        }
    }
}

pub(super) fn invalid<T>(problem: &str) -> Result<T, EngineError> {
    Err(EngineError::invalid("logo", problem))
}

/// A header with a sane size, chunk after chunk, and nothing behind the end (PNG specification §5).
fn check_png(bytes: &[u8]) -> Result<(), EngineError> {
    let mut rest = &bytes[PNG.len()..];
    let mut first = true;
    while let Some((head, tail)) = rest.split_at_checked(8) {
        let length = usize::try_from(number(&head[..4])).unwrap_or(usize::MAX);
        let kind = &head[4..];
        let Some((data, tail)) = tail.split_at_checked(length) else {
            break;
        };
        let Some((_checksum, tail)) = tail.split_at_checked(4) else {
            break;
        };
        if first != (kind == b"IHDR") {
            return invalid("is no well-formed PNG: save it again");
        }
        if first && (data.len() != 13 || !fits(number(&data[..4]), number(&data[4..8]))) {
            return invalid("has no size, or one of more than 8192 pixels: make it smaller");
        }
        if kind == b"IEND" {
            return match tail {
                [] => Ok(()),
                _ => invalid("has something behind the end of the picture: save it again"),
            };
        }
        first = false;
        rest = tail;
    }
    invalid("is a PNG that was cut off: save it again")
}

/// Segments up to a frame with a sane size, and the end marker at the very end (ITU-T T.81 §B).
fn check_jpeg(bytes: &[u8]) -> Result<(), EngineError> {
    if !bytes.ends_with(&[0xff, 0xd9]) {
        return invalid("is a JPEG that was cut off, or has something behind its end: save it again");
    }
    let mut rest = &bytes[2..];
    while let Some((&[0xff, marker], tail)) = rest.split_first_chunk::<2>() {
        let Some(length) = tail.first_chunk::<2>() else {
            break;
        };
        let length = usize::from(u16::from_be_bytes(*length));
        let Some(segment) = tail.get(..length).filter(|_| length >= 2) else {
            break;
        };
        let is_frame = matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
        if is_frame {
            return match segment {
                [_, _, _, h1, h2, w1, w2, ..]
                    if fits(number(&[0, 0, *w1, *w2]), number(&[0, 0, *h1, *h2])) =>
                {
                    Ok(())
                }
                _ => invalid("has no size, or one of more than 8192 pixels: make it smaller"),
            };
        }
        rest = &tail[length..];
    }
    invalid("is no well-formed JPEG: save it again")
}

fn number(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

const fn fits(width: u32, height: u32) -> bool {
    0 < width && width <= MAX_SIDE && 0 < height && height <= MAX_SIDE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = PNG.to_vec();
        bytes.extend(13_u32.to_be_bytes());
        bytes.extend(b"IHDR");
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([8, 6, 0, 0, 0]);
        bytes.extend([0; 4]);
        bytes.extend([0; 4]);
        bytes.extend(b"IEND");
        bytes.extend([0; 4]);
        bytes
    }

    fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 1, 0xff, 0xc0, 0, 11, 8];
        bytes.extend(height.to_be_bytes());
        bytes.extend(width.to_be_bytes());
        bytes.extend([1, 1, 0x11, 0, 0xff, 0xd9]);
        bytes
    }

    #[test]
    fn the_kind_is_found_from_the_content() {
        let svg = "<svg xmlns='http://www.w3.org/2000/svg'><circle r='4'/></svg>";
        for (bytes, media_type) in [
            (png(64, 64), "image/png"),
            (jpeg(64, 64), "image/jpeg"),
            (svg.into(), "image/svg+xml"),
        ] {
            assert_eq!(Logo::new(&bytes).unwrap().media_type(), media_type);
        }
    }

    #[test]
    fn a_picture_that_is_not_whole_or_not_small_is_refused() {
        let mut tail = png(64, 64);
        tail.extend(b"<script>");
        let mut cut = png(64, 64);
        cut.truncate(40);
        let mut jpeg_tail = jpeg(64, 64);
        jpeg_tail.extend(b"PK");
        for wrong in [
            Vec::new(),
            b"GIF89a".to_vec(),
            tail,
            cut,
            png(0, 64),
            png(64, MAX_SIDE + 1),
            jpeg(0, 64),
            jpeg_tail,
            vec![0xff, 0xd8, 0xff, 0xd9],
            vec![0; MAX_LEN + 1],
        ] {
            assert!(Logo::new(&wrong).is_err());
        }
    }
}
