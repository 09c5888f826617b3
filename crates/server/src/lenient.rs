//! Raw characters in request targets.
//!
//! Microsoft Entra ID was seen sending `filter=userName+eq+"x"` with the quotes as they are
//! (MicrosoftDocs/azure-docs#21660). RFC 3986 wants them encoded, and the HTTP parser refuses the whole request. [`Lenient`] stands between the socket and the parser and encodes `"`, `<`, `>` and `#` in request lines.
//! To know where a request line begins it follows the framing of requests (RFC 9112 §6); where that is unclear, it leaves
//! the rest of the connection alone and lets the parser refuse it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use memchr::{memchr, memchr_iter, memchr3_iter};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection whose request lines are made fit for the parser.
pub(crate) struct Lenient<S> {
    inner: S,
    framing: Framing,
    /// Bytes that were made longer than the reader's buffer.
    waiting: Vec<u8>,
    taken: usize,
}

impl<S> Lenient<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self {
            inner,
            framing: Framing::default(),
            waiting: Vec::new(),
            taken: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lenient<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.taken == this.waiting.len() {
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
            let fresh = &buf.filled()[before..];
            let places = this.framing.follow(fresh);
            if places.is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.waiting = encode(fresh, &places);
            this.taken = 0;
            buf.set_filled(before);
        }
        let some = (this.waiting.len() - this.taken).min(buf.remaining());
        buf.put_slice(&this.waiting[this.taken..this.taken + some]);
        this.taken += some;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lenient<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

fn encode(bytes: &[u8], places: &[usize]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(bytes.len() + 2 * places.len());
    let mut done = 0;
    for place in places {
        encoded.extend_from_slice(&bytes[done..*place]);
        encoded.extend_from_slice(match bytes[*place] {
            b'"' => b"%22",
            b'<' => b"%3C",
            b'>' => b"%3E",
            _ => b"%23",
        });
        done = place + 1;
    }
    encoded.extend_from_slice(&bytes[done..]);
    encoded
}

/// Where in a stream of requests the next byte stands.
#[derive(Debug, Default)]
struct Framing {
    place: Place,
    /// What came earlier of the present line.
    begun: Vec<u8>,
    length: Option<u64>,
    chunked: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the first line of a request, or before it.
    #[default]
    RequestLine,
    Header,
    /// In a body with so many bytes to come.
    Body(u64),
    ChunkSize,
    /// In a chunk with so many bytes to come, its line end included.
    Chunk(u64),
    Trailer,
    /// Nothing is known any more.
    Lost,
}

/// How much of a line is of interest: enough for the names and values that matter.
const LINE: usize = 64;

impl Framing {
    /// Follows the stream over `bytes`; the places of characters to encode.
    fn follow(&mut self, bytes: &[u8]) -> Vec<usize> {
        let mut places = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            match self.place {
                Place::Lost => break,
                Place::Body(left) | Place::Chunk(left) => {
                    let some = left.min((bytes.len() - at) as u64);
                    at += usize::try_from(some).unwrap_or(usize::MAX);
                    self.skip(left - some);
                }
                Place::RequestLine => {
                    let line = &bytes[at..][..first_line(&bytes[at..])];
                    let raw = memchr3_iter(b'"', b'<', b'>', line).chain(memchr_iter(b'#', line));
                    places.extend(raw.map(|index| at + index));
                    at += line.len();
                    // Empty lines before a request line are allowed.
                    if self.take_line(line, |line| !line.is_empty()) == Some(true) {
                        (self.place, self.length, self.chunked) = (Place::Header, None, false);
                    }
                }
                Place::Header | Place::ChunkSize | Place::Trailer => {
                    let line = &bytes[at..][..first_line(&bytes[at..])];
                    at += line.len();
                    let (place, seen) = (self.place, (self.length, self.chunked));
                    let ended = self.take_line(line, |line| end_line(place, seen, line));
                    if let Some(ended) = ended {
                        (self.place, (self.length, self.chunked)) = ended;
                    }
                }
            }
        }
        places.sort_unstable();
        places
    }

    /// Looks at a line without its end, as far as it is of interest, if its end has come.
    fn take_line<T>(&mut self, bytes: &[u8], look: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let Some(rest) = bytes.strip_suffix(b"\n") else {
            self.remember(bytes);
            return None;
        };
        if self.begun.is_empty() {
            return Some(look(trimmed(rest)));
        }
        self.remember(rest);
        let seen = look(trimmed(&self.begun));
        self.begun.clear();
        Some(seen)
    }

    fn remember(&mut self, line: &[u8]) {
        let some = line.len().min(LINE.saturating_sub(self.begun.len()));
        self.begun.extend_from_slice(&line[..some]);
    }

    fn skip(&mut self, left: u64) {
        self.place = match self.place {
            Place::Body(_) if left > 0 => Place::Body(left),
            Place::Body(_) => Place::RequestLine,
            _ if left > 0 => Place::Chunk(left),
            _ => Place::ChunkSize,
        };
    }
}

/// What the header says of the body: its length, and whether it comes in chunks.
type Said = (Option<u64>, bool);

/// What follows a line.
fn end_line(place: Place, (length, chunked): Said, line: &[u8]) -> (Place, Said) {
    let next = match place {
        Place::Header if line.is_empty() => match (chunked, length) {
            (true, None) => Place::ChunkSize,
            (false, Some(length)) if length > 0 => Place::Body(length),
            (false, _) => Place::RequestLine,
            (true, Some(_)) => Place::Lost,
        },
        Place::Header => return header((length, chunked), line),
        Place::ChunkSize => chunk_size(line).map_or(Place::Lost, |size| match size {
            0 => Place::Trailer,
            size => size.checked_add(2).map_or(Place::Lost, Place::Chunk),
        }),
        Place::Trailer if line.is_empty() => Place::RequestLine,
        other => other,
    };
    (next, (length, chunked))
}

fn header(said: Said, line: &[u8]) -> (Place, Said) {
    let (mut length, mut chunked) = said;
    let Some(colon) = memchr(b':', line) else {
        return (Place::Header, said);
    };
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    if name.eq_ignore_ascii_case(b"content-length") {
        let fresh = std::str::from_utf8(value)
            .ok()
            .and_then(|value| value.parse().ok());
        if fresh.is_none() || length.is_some() {
            return (Place::Lost, said);
        }
        length = fresh;
    } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
        if chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return (Place::Lost, said);
        }
        chunked = true;
    } else if name.eq_ignore_ascii_case(b"upgrade") {
        return (Place::Lost, said);
    }
    (Place::Header, (length, chunked))
}

/// How long the first line is with its end, or what came of it.
fn first_line(bytes: &[u8]) -> usize {
    memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1)
}

/// A line without a carriage return at its end, and without what is of no interest.
fn trimmed(line: &[u8]) -> &[u8] {
    let line = &line[..line.len().min(LINE)];
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?.trim_ascii();
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;

    use super::*;

    /// What comes out when the stream arrives in pieces of this size.
    async fn read(stream: &[u8], piece: usize) -> Vec<u8> {
        let (mut near, far) = tokio::io::duplex(piece);
        let stream = stream.to_vec();
        let sender = tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            near.write_all(&stream).await.expect("the reader reads");
        });
        let mut read = Vec::new();
        Lenient::new(far)
            .read_to_end(&mut read)
            .await
            .expect("a stream in memory");
        sender.await.expect("the sender ends");
        read
    }

    const REQUESTS: &str = "GET /a?filter=x+eq+\"y#z\" HTTP/1.1\r\nHost: \"h\"\r\n\r\n\
        POST /b?c=<d> HTTP/1.1\r\nContent-Length: 9\r\n\r\n{\"a\": \"b\"\
        POST /e HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=\"y\"\r\n\"1\n23\r\n1\r\n\"\r\n0\r\nX: \"t\"\r\n\r\n\
        \r\nGET /f?\" HTTP/1.1\r\n\r\n";

    #[tokio::test]
    async fn request_lines_are_encoded_and_nothing_else() {
        let expected = REQUESTS
            .replace("eq+\"y#z\"", "eq+%22y%23z%22")
            .replace("<d>", "%3Cd%3E")
            .replace("/f?\"", "/f?%22");
        for piece in [1, 2, 3, 7, 64, 4096] {
            let read = read(REQUESTS.as_bytes(), piece).await;
            assert_eq!(String::from_utf8_lossy(&read), expected, "in pieces of {piece}");
        }
    }

    #[tokio::test]
    async fn where_the_framing_is_unclear_nothing_is_touched() {
        for header in [
            "Content-Length: 1\r\nContent-Length: 2",
            "Transfer-Encoding: gzip",
            "Content-Length: -1",
        ] {
            let stream = format!("POST / HTTP/1.1\r\n{header}\r\n\r\nGET /?\" HTTP/1.1\r\n\r\n");
            assert_eq!(read(stream.as_bytes(), 4096).await, stream.as_bytes(), "{header}");
        }
    }

    proptest! {
        #[test]
        fn bodies_come_through_unchanged(body in proptest::collection::vec(any::<u8>(), 0..200), piece in 1..50_usize) {
            let mut stream = format!("PUT / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
            stream.extend_from_slice(&body);
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            prop_assert_eq!(runtime.block_on(read(&stream, piece)), stream);
        }
    }
}
