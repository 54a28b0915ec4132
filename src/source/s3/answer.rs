//! What S3's XML says: pages of listings, and errors.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

use crate::source::{Listed, Page};

/// A page, and whether there are more.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) page: Page,
    pub(super) is_truncated: bool,
}

/// An error as S3 tells it; empty where it told nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: String,
    pub(super) message: String,
}

/// Reads an answer to ListObjectsV2; `Err` says why it is none.
pub(super) fn listing(xml: &[u8]) -> Result<Listing, String> {
    let mut listing = Listing::default();
    let mut object: Option<Listed> = None;
    let (mut in_folder, mut is_whole) = (false, false);
    walk(xml, |step| {
        match step {
            Step::Start(b"Contents") => object = Some(Listed { key: String::new(), size: 0 }),
            Step::Start(b"CommonPrefixes") => in_folder = true,
            Step::Start(_) => {}
            Step::End(name, text) => match (name, &mut object) {
                (b"Key", Some(object)) => std::mem::swap(&mut object.key, text),
                (b"Size", Some(object)) => {
                    object.size = text.parse().map_err(|_| format!("an object's size is {text:?}"))?;
                }
                (b"Contents", _) => listing.page.objects.extend(object.take()),
                (b"Prefix", _) if in_folder => listing.page.folders.push(std::mem::take(text)),
                (b"CommonPrefixes", _) => in_folder = false,
                (b"IsTruncated", _) => listing.is_truncated = text == "true",
                (b"NextContinuationToken", _) => listing.page.next = Some(std::mem::take(text)),
                (b"ListBucketResult", _) => is_whole = true,
                _ => {}
            },
        }
        Ok(())
    })?;
    if is_whole { Ok(listing) } else { Err("the answer to a listing is none".to_owned()) }
}

/// Reads an error; whatever cannot be read of it is empty.
pub(super) fn failure(xml: &[u8]) -> Failure {
    let mut failure = Failure::default();
    // An answer that breaks off, or is no XML, is judged by its status.
    let _ = walk(xml, |step| {
        match step {
            Step::End(b"Code", text) => failure.code = std::mem::take(text),
            Step::End(b"Message", text) => failure.message = std::mem::take(text),
            Step::Start(_) | Step::End(..) => {}
        }
        Ok(())
    });
    failure
}

/// An element opens, or closes with the text in it.
enum Step<'a, 't> {
    Start(&'a [u8]),
    End(&'a [u8], &'t mut String),
}

fn walk(xml: &[u8], mut take: impl FnMut(Step<'_, '_>) -> Result<(), String>) -> Result<(), String> {
    let mut reader = Reader::from_reader(xml);
    let mut text = String::new();
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => {
                text.clear();
                take(Step::Start(start.name().as_ref()))?;
            }
            Event::Text(piece) => text.push_str(&piece.decode().map_err(|error| error.to_string())?),
            Event::CData(piece) => text.push_str(&piece.decode().map_err(|error| error.to_string())?),
            Event::GeneralRef(name) => match name.resolve_char_ref().map_err(|error| error.to_string())? {
                Some(character) => text.push(character),
                None => {
                    let name = name.decode().map_err(|error| error.to_string())?;
                    let meant = resolve_predefined_entity(&name);
                    text.push_str(meant.ok_or_else(|| format!("the entity {name} is not known"))?);
                }
            },
            Event::End(end) => {
                take(Step::End(end.name().as_ref(), &mut text))?;
                text.clear();
            }
            Event::Eof => return Ok(()),
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_with_whatever_is_escaped_in_them() {
        let xml = br#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>not a folder</Prefix>
<IsTruncated>true</IsTruncated><NextContinuationToken>1/a+b=</NextContinuationToken>
<Contents><Key>a &amp; b&lt;&#x20;&#xE4;'"</Key><Size>7</Size><Owner><ID>x</ID></Owner></Contents>
<Contents><Key> spaced </Key><Size>0</Size></Contents>
<CommonPrefixes><Prefix>f/</Prefix></CommonPrefixes></ListBucketResult>"#;
        let listed = |key: &str, size| Listed { key: key.to_owned(), size };
        let page = Page {
            objects: vec![listed("a & b< ä'\"", 7), listed(" spaced ", 0)],
            folders: vec!["f/".to_owned()],
            next: Some("1/a+b=".to_owned()),
            ..Page::default()
        };
        assert_eq!(listing(xml), Ok(Listing { page, is_truncated: true }));
    }

    #[test]
    fn a_listing_that_breaks_off_or_is_none_is_an_error() {
        let whole: &[u8] = b"<ListBucketResult><Contents><Key>k</Key><Size>1</Size></Contents></ListBucketResult>";
        assert!(listing(whole).is_ok());
        for cut in [0, 10, 40, 70, whole.len() - 1] {
            assert!(listing(&whole[..cut]).is_err(), "{cut}");
        }
        assert!(listing(b"<html></html>").is_err());
    }

    #[test]
    fn an_error_is_its_code_and_message() {
        let told = failure(b"<Error><Code>AccessDenied</Code><Message>a &gt; b</Message></Error>");
        assert_eq!(told, Failure { code: "AccessDenied".into(), message: "a > b".into() });
        assert_eq!(failure(b"not XML"), Failure::default());
        assert_eq!(failure(b""), Failure::default());
    }
}
