//! Inflates one stored object and tells exactly what its gzip container holds.
//!
//! ```text
//! object ─┬─ starts with 1f 8b ─▶ member, member, … ─▶ content (all members' output, in order)
//!         └─ anything else ─────▶ content is the object itself (a copy tool stored it inflated)
//! ```
//!
//! CloudTrail hashes the *inflated* bytes, so the container may change honestly (recompression) while the content may
//! not. What other readers would read besides (further members, trailing bytes) is told apart from what none would.
//! Two paths give the same answer: a whole-buffer one for the ordinary single member, and a member walker for the rest.
//! Not here: hashing and judging ([`crate::verify`]), limits over several objects (the program's `pipeline`).

use std::cell::RefCell;
use std::ops::Deref;

use flate2::{Decompress, FlushDecompress, Status};
use memchr::memmem;

/// One thing about a container that CloudTrail would not have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Damage {
    /// Stored without gzip.
    NotCompressed,
    /// The last member is followed by NUL bytes only.
    NulPadding,
    /// A member without content.
    EmptyMember,
    /// The content is split over several members.
    SeveralMembers,
    /// Extra or comment bytes in a member's header, or more in place of a file name.
    HeaderFields,
    /// The object ends before a member's CRC and length.
    TrailerMissing,
    /// A member's CRC or length does not fit its content.
    TrailerWrong,
    /// The last member is followed by bytes that are no member.
    TrailingBytes,
    /// The compressed stream ends in the middle.
    CutShort,
    /// The compressed stream is not valid DEFLATE.
    Corrupt,
}

impl Damage {
    /// For a sentence such as "its gzip container …".
    pub fn describe(self) -> &'static str {
        match self {
            Self::NotCompressed => "is missing: the object is stored inflated",
            Self::NulPadding => "is padded with NUL bytes",
            Self::EmptyMember => "holds an extra empty member",
            Self::SeveralMembers => "splits the content over several members",
            Self::HeaderFields => "carries extra or comment bytes in its header",
            Self::TrailerMissing => "lacks its CRC and length",
            Self::TrailerWrong => "has a CRC or length that does not fit its content",
            Self::TrailingBytes => "is followed by other bytes",
            Self::CutShort => "ends in the middle of the compressed stream",
            Self::Corrupt => "is not a valid compressed stream",
        }
    }
}

/// What an object held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inflated {
    /// Bytes of content that the first member with content gave.
    pub first_member: u64,
    /// Bytes of content in all.
    pub total: u64,
    /// What is unusual about the container, in order of appearance, each once.
    pub damage: Vec<Damage>,
    /// The content was larger than the cap and is not whole.
    pub over_cap: bool,
}

impl Inflated {
    /// Whether the content is everything that the compressed streams promise.
    pub fn is_whole(&self) -> bool {
        !self.over_cap && !self.has(Damage::CutShort) && !self.has(Damage::Corrupt)
    }

    /// Whether the container shows this damage.
    pub fn has(&self, damage: Damage) -> bool {
        self.damage.contains(&damage)
    }

    fn note(&mut self, damage: Damage) {
        if !self.has(damage) {
            self.damage.push(damage);
        }
    }
}

/// Inflated bytes. Memory that held content before is used again without being made zero again.
#[derive(Debug, Default)]
pub struct Content {
    memory: Vec<u8>,
    len: usize,
}

impl Content {
    /// Room for `len` bytes, with whatever stood there.
    fn room(&mut self, len: usize) -> &mut [u8] {
        if self.memory.len() < len {
            self.memory.resize(len, 0);
        }
        self.len = len;
        &mut self.memory[..len]
    }

    fn clear(&mut self) {
        self.memory.clear();
        self.len = 0;
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.memory.extend_from_slice(bytes);
        self.len = self.memory.len();
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[..self.len]
    }
}

thread_local! {
    static WHOLE_BUFFER: RefCell<libdeflater::Decompressor> = RefCell::new(libdeflater::Decompressor::new());
}

/// Inflates `object` into `content`, in place of what it held.
///
/// `cap` bounds the content, in bytes. Never fails: what cannot be inflated is told by [`Inflated::damage`], and
/// `content` then holds what came before.
pub fn inflate(object: &[u8], cap: usize, content: &mut Content) -> Inflated {
    if let Some(inflated) = inflate_whole(object, cap, content) {
        return inflated;
    }
    content.clear();
    let mut over_cap = false;
    let mut inflated = walk_members(object, &mut |bytes| {
        let room = cap - content.len();
        over_cap = bytes.len() > room;
        content.extend(&bytes[..bytes.len().min(room)]);
        !over_cap
    });
    inflated.over_cap = over_cap;
    inflated
}

/// Hands the content of `object` to `take` piece by piece, holding none of it; `take` answers whether to go on.
///
/// For content too large to hold. [`Inflated::over_cap`] tells that `take` stopped it.
pub fn inflate_pieces(object: &[u8], mut take: impl FnMut(&[u8]) -> bool) -> Inflated {
    let mut stopped = false;
    let mut inflated = walk_members(object, &mut |bytes| {
        stopped = !take(bytes);
        !stopped
    });
    inflated.over_cap = stopped;
    inflated
}

/// DEFLATE cannot expand more than this, so a length that claims more is a lie not worth memory.
const MAX_EXPANSION: usize = 1032;

/// Members that are looked into; an object of more is made to waste time, and what follows counts as trailing bytes.
const MAX_MEMBERS: u32 = 4096;

/// The ordinary case: one member that carries nothing besides, whose trailer ends the object. `None` when it is not that.
fn inflate_whole(object: &[u8], cap: usize, content: &mut Content) -> Option<Inflated> {
    let header = member_header(object)?;
    if header.carries_data || object.len() < header.len + 8 {
        return None;
    }
    let trailer = &object[object.len() - 8..];
    let length = u32::from_le_bytes([trailer[4], trailer[5], trailer[6], trailer[7]]) as usize;
    if length == 0 || length > cap || length > object.len().saturating_mul(MAX_EXPANSION) {
        return None;
    }
    let room = content.room(length);
    let written = WHOLE_BUFFER.with_borrow_mut(|inflater| inflater.gzip_decompress(object, room).ok())?;
    // The inflater has checked eight bytes where the stream ended, wherever that was: the content's CRC and its length. If
    // the object ends with this length and holds these four bytes nowhere else, nothing follows the member.
    let stands_alone = memmem::find(object, &trailer[4..]) == Some(object.len() - 4);
    (written == length && stands_alone).then(|| Inflated {
        first_member: length as u64,
        total: length as u64,
        ..Inflated::default()
    })
}

fn walk_members(object: &[u8], take: &mut dyn FnMut(&[u8]) -> bool) -> Inflated {
    let mut inflated = Inflated::default();
    let mut rest = object;
    let mut members = 0_u32;
    while !rest.is_empty() {
        let Some(header) = member_header(rest).filter(|_| members < MAX_MEMBERS) else {
            if members == 0 {
                inflated.note(Damage::NotCompressed);
                inflated.first_member = rest.len() as u64;
                inflated.total = rest.len() as u64;
                take(rest);
            } else if rest.iter().all(|&byte| byte == 0) {
                inflated.note(Damage::NulPadding);
            } else {
                inflated.note(Damage::TrailingBytes);
            }
            break;
        };
        members += 1;
        if header.carries_data {
            inflated.note(Damage::HeaderFields);
        }
        let member = inflate_member(&rest[header.len..], take);
        inflated.total += member.output;
        if member.output == 0 {
            inflated.note(Damage::EmptyMember);
        } else if inflated.first_member == 0 {
            inflated.first_member = member.output;
        } else {
            inflated.note(Damage::SeveralMembers);
        }
        if let Some(damage) = member.damage {
            inflated.note(damage);
        }
        if member.stops {
            break;
        }
        rest = &rest[(header.len + member.consumed).min(rest.len())..];
    }
    if members == 1 && inflated.total == 0 {
        inflated.damage.retain(|&damage| damage != Damage::EmptyMember);
    }
    inflated
}

/// The longest file name that file systems have; `gzip` writes one into the header, a longer one is no file's.
const MAX_FILE_NAME: usize = 255;

struct Header {
    len: usize,
    carries_data: bool,
}

/// Reads a member's header (RFC 1952 §2.3); `None` when `bytes` do not start with a whole one.
fn member_header(bytes: &[u8]) -> Option<Header> {
    const FHCRC: u8 = 2;
    const FEXTRA: u8 = 4;
    const FNAME: u8 = 8;
    const FCOMMENT: u8 = 16;
    const RESERVED: u8 = 0xe0;
    if bytes.len() < 10 || !bytes.starts_with(&[0x1f, 0x8b, 8]) || bytes[3] & RESERVED != 0 {
        return None;
    }
    let flags = bytes[3];
    let mut len = 10;
    if flags & FEXTRA != 0 {
        let size = bytes.get(len..len + 2)?;
        len += 2 + usize::from(u16::from_le_bytes([size[0], size[1]]));
    }
    let mut long_name = false;
    for flag in [FNAME, FCOMMENT] {
        if flags & flag != 0 {
            let text = memchr::memchr(0, bytes.get(len..)?)?;
            long_name |= text > MAX_FILE_NAME;
            len += text + 1;
        }
    }
    if flags & FHCRC != 0 {
        len += 2;
    }
    (len <= bytes.len()).then_some(Header { len, carries_data: long_name || flags & (FEXTRA | FCOMMENT) != 0 })
}

struct Member {
    /// Compressed bytes and trailer.
    consumed: usize,
    output: u64,
    damage: Option<Damage>,
    stops: bool,
}

fn inflate_member(bytes: &[u8], take: &mut dyn FnMut(&[u8]) -> bool) -> Member {
    let mut stream = Decompress::new(false);
    let mut crc = crc32fast::Hasher::new();
    let mut piece = vec![0_u8; 64 << 10];
    let end = loop {
        let (read, written) = (stream.total_in() as usize, stream.total_out());
        let status = stream.decompress(&bytes[read..], &mut piece, FlushDecompress::None);
        let produced = (stream.total_out() - written) as usize;
        crc.update(&piece[..produced]);
        if produced > 0 && !take(&piece[..produced]) {
            break Some(None);
        }
        match status {
            Ok(Status::StreamEnd) => break None,
            Ok(_) if produced == 0 && stream.total_in() as usize == read => break Some(Some(Damage::CutShort)),
            Ok(_) => {}
            Err(_) => break Some(Some(Damage::Corrupt)),
        }
    };
    let (deflated, output) = (stream.total_in() as usize, stream.total_out());
    if let Some(damage) = end {
        return Member { consumed: bytes.len(), output, damage, stops: true };
    }
    let Some(trailer) = bytes.get(deflated..deflated + 8) else {
        return Member { consumed: bytes.len(), output, damage: Some(Damage::TrailerMissing), stops: true };
    };
    let mut expected = crc.finalize().to_le_bytes().to_vec();
    expected.extend_from_slice(&(output as u32).to_le_bytes());
    let damage = (trailer != expected).then_some(Damage::TrailerWrong);
    Member { consumed: deflated + 8, output, damage, stops: false }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(content).expect("writing to a Vec");
        encoder.finish().expect("writing to a Vec")
    }

    fn inflated(object: &[u8]) -> (Vec<u8>, Inflated) {
        let mut content = Content { memory: vec![9; 5000], len: 3 };
        let told = inflate(object, 1 << 20, &mut content);
        (content.to_vec(), told)
    }

    #[test]
    fn each_container_is_told_for_what_it_is() {
        let one = gzip(b"{\"Records\":[]}");
        let join = |parts: &[&[u8]]| parts.concat();
        type Case<'a> = (&'a str, Vec<u8>, &'a [u8], &'a [Damage]);
        let cases: Vec<Case<'_>> = vec![
            ("ordinary", one.clone(), b"{\"Records\":[]}", &[]),
            ("stored inflated", b"{\"Records\":[]}".to_vec(), b"{\"Records\":[]}", &[Damage::NotCompressed]),
            ("NUL padded", join(&[&one, &[0; 9]]), b"{\"Records\":[]}", &[Damage::NulPadding]),
            ("garbage appended", join(&[&one, b"xyz"]), b"{\"Records\":[]}", &[Damage::TrailingBytes]),
            ("empty member first", join(&[&gzip(b""), &one]), b"{\"Records\":[]}", &[Damage::EmptyMember]),
            ("empty member last", join(&[&one, &gzip(b"")]), b"{\"Records\":[]}", &[Damage::EmptyMember]),
            ("second member", join(&[&one, &gzip(b"!")]), b"{\"Records\":[]}!", &[Damage::SeveralMembers]),
            ("no trailer", one[..one.len() - 8].to_vec(), b"{\"Records\":[]}", &[Damage::TrailerMissing]),
            ("half a trailer", one[..one.len() - 3].to_vec(), b"{\"Records\":[]}", &[Damage::TrailerMissing]),
            ("empty content", gzip(b""), b"", &[]),
            ("nothing at all", Vec::new(), b"", &[]),
        ];
        for (name, object, content, damage) in cases {
            let (found, told) = inflated(&object);
            assert_eq!((found.as_slice(), told.damage.as_slice()), (content, damage), "{name}");
        }
    }

    #[test]
    fn a_wrong_crc_is_told_and_the_content_kept() {
        let mut object = gzip(b"content");
        let at = object.len() - 6;
        object[at] ^= 1;
        assert_eq!(
            inflated(&object),
            (
                b"content".to_vec(),
                Inflated { first_member: 7, total: 7, damage: vec![Damage::TrailerWrong], over_cap: false }
            )
        );
    }

    fn named(name: &[u8], content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::GzBuilder::new().filename(name).write(Vec::new(), flate2::Compression::default());
        encoder.write_all(content).expect("writing to a Vec");
        encoder.finish().expect("writing to a Vec")
    }

    /// `gzip` writes the file's name; its objects are as ordinary as others.
    #[test]
    fn a_member_with_a_file_name_is_inflated_whole() {
        let object = named(b"123456789012_CloudTrail_us-east-1_20200510T0055Z_QHNdWPUOxrKbhdGn.json", b"content");
        let mut content = Content::default();
        let told = inflate_whole(&object, 100, &mut content).expect("the ordinary case");
        assert_eq!((&*content, told.damage), (b"content".as_slice(), vec![]));
        assert!(inflate_whole(&named(&[b'n'; 256], b"content"), 100, &mut content).is_none());
    }

    #[test]
    fn a_cut_stream_is_not_whole() {
        let object = gzip(&(0_u16..4000).flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
        let (_, told) = inflated(&object[..object.len() / 2]);
        assert_eq!((told.is_whole(), told.damage), (false, vec![Damage::CutShort]));
    }

    /// A member hidden between the first one and a copy of the first one's trailer must not pass as the ordinary case.
    #[test]
    fn a_member_hidden_before_a_copied_trailer_is_seen() {
        let one = gzip(b"listed content");
        let object = [one.as_slice(), &gzip(b" and more"), &one[one.len() - 8..]].concat();
        let (content, told) = inflated(&object);
        assert_eq!(content, b"listed content and more");
        assert_eq!(told.damage, vec![Damage::SeveralMembers, Damage::TrailingBytes]);
    }

    /// A second member as long as the first ends the object with the length that the first member's trailer holds.
    #[test]
    fn a_second_member_of_the_same_length_is_seen() {
        let (content, told) = inflated(&[gzip(b"listed"), gzip(b"forged")].concat());
        assert_eq!((content.as_slice(), told.damage), (b"listedforged".as_slice(), vec![Damage::SeveralMembers]));
        let garbage = [gzip(b"listed").as_slice(), b"garbage!", &[6, 0, 0, 0]].concat();
        assert_eq!(inflated(&garbage).1.damage, vec![Damage::TrailingBytes]);
    }

    #[test]
    fn members_without_end_are_trailing_bytes() {
        let object = gzip(b"").repeat(5000);
        assert_eq!(inflated(&object).1.damage, vec![Damage::EmptyMember, Damage::TrailingBytes]);
    }

    #[test]
    fn a_bomb_stops_at_the_cap() {
        let object = gzip(&vec![0; 3 << 20]);
        let mut content = Content::default();
        let told = inflate(&object, 1 << 20, &mut content);
        assert_eq!((told.over_cap, told.is_whole(), content.len()), (true, false, 1 << 20));
        let mut seen = 0;
        assert!(
            !inflate_pieces(&object, |piece| {
                seen += piece.len();
                true
            })
            .over_cap
        );
        assert_eq!(seen, 3 << 20);
    }

    proptest::proptest! {
        /// The whole-buffer path and the member walker agree on every container.
        #[test]
        fn both_paths_agree(content in proptest::collection::vec(0_u8..4, 0..2000), name in proptest::option::of(proptest::collection::vec(1_u8..4, 0..300)), cut in 0_usize..40, flip in proptest::option::of((0_usize..2000, 0_u8..8)), tail in proptest::collection::vec(0_u8..3, 0..5)) {
            let mut object = match name {
                Some(name) => named(&name, &content),
                None => gzip(&content),
            };
            object.extend_from_slice(&tail);
            if let Some((at, bit)) = flip {
                let at = at % object.len();
                object[at] ^= 1 << bit;
            }
            object.truncate(object.len().saturating_sub(cut % 20).max(1));
            let (whole, told) = inflated(&object);
            let mut pieces = Vec::new();
            let walked = inflate_pieces(&object, |piece| { pieces.extend_from_slice(piece); true });
            proptest::prop_assert_eq!((whole, told), (pieces, walked));
        }
    }
}
