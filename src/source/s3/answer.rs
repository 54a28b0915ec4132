//! What S3's XML says: pages of listings, and errors.
//!
//! A page is taken only when it is one from its first element to its last and says plainly whether more follow: a page
//! that is read wrongly ends a listing without a sound. XML that breaks off, or that is no listing at all, may be right the
//! next time (a proxy spoke, a connection broke); a listing that contradicts itself will not be.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

use crate::source::{Listed, Page, SourceError};

/// An error as S3 tells it; empty where it told nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: String,
    pub(super) message: String,
    /// The Region that S3 wants to be asked in.
    pub(super) region: String,
}

/// Reads an answer to ListObjectsV2.
///
/// # Errors
/// [`SourceError::Broken`] for what is not a whole listing, [`SourceError::Other`] for one that cannot be understood.
pub(super) fn listing(xml: &[u8]) -> Result<Page, SourceError> {
    let mut reading = Reading::default();
    walk(xml, |step| reading.take(step))?;
    if !reading.is_whole {
        return Err(broken("the answer to a listing is none"));
    }
    let Reading { page, is_truncated, .. } = reading;
    match (is_truncated, &page.next) {
        (None, _) => Err(wrong("the listing does not say whether it goes on")),
        (Some(true), None) => Err(wrong("the listing goes on but does not say where")),
        (Some(false), Some(_)) => Err(wrong("the listing says where it goes on, and that it does not")),
        (Some(_), _) => Ok(page),
    }
}

/// Reads an error; anything but S3's own whole error says nothing.
pub(super) fn failure(xml: &[u8]) -> Failure {
    let (mut failure, mut is_whole) = (Failure::default(), false);
    let read = walk(xml, |step| {
        match step {
            Step::Start(0, b"Error") | Step::Start(1.., _) => {}
            Step::Start(..) => return Err(broken("another element than an error")),
            Step::End(0, ..) => is_whole = true,
            Step::End(1, b"Code", text) => failure.code = std::mem::take(text),
            Step::End(1, b"Message", text) => failure.message = std::mem::take(text),
            Step::End(1, b"Region", text) => failure.region = std::mem::take(text),
            Step::End(..) => {}
        }
        Ok(())
    });
    if read.is_ok() && is_whole { failure } else { Failure::default() }
}

/// A listing, as far as it was read.
#[derive(Default)]
struct Reading {
    page: Page,
    is_truncated: Option<bool>,
    /// What is being read: an object's key and size, or a folder.
    object: Option<(Option<String>, Option<u64>)>,
    folder: Option<Option<String>>,
    is_whole: bool,
}

impl Reading {
    fn take(&mut self, step: Step<'_, '_>) -> Result<(), SourceError> {
        match step {
            Step::Start(0, b"ListBucketResult") if !self.is_whole => {}
            Step::Start(0, _) => return Err(broken("the answer to a listing is none")),
            Step::Start(1, b"Contents") => self.object = Some((None, None)),
            Step::Start(1, b"CommonPrefixes") => self.folder = Some(None),
            Step::Start(..) => {}
            Step::End(0, ..) => self.is_whole = true,
            Step::End(1, name, text) => return self.end_part(name, text),
            Step::End(2, name, text) => match (name, &mut self.object, &mut self.folder) {
                (b"Key", Some((key @ None, _)), _) => *key = Some(std::mem::take(text)),
                (b"Size", Some((_, size @ None)), _) => {
                    let number = text.parse();
                    *size = Some(number.map_err(|_| wrong(&format!("the listing has an object of size {text:?}")))?);
                }
                (b"Prefix", _, Some(folder @ None)) => *folder = Some(std::mem::take(text)),
                (b"Key" | b"Size", Some(_), _) | (b"Prefix", _, Some(_)) => {
                    return Err(wrong("the listing has two names or sizes for one object"));
                }
                _ => {}
            },
            Step::End(..) => {}
        }
        Ok(())
    }

    fn end_part(&mut self, name: &[u8], text: &mut String) -> Result<(), SourceError> {
        match name {
            b"Contents" => match self.object.take() {
                Some((Some(key), Some(size))) if !key.is_empty() => self.page.objects.push(Listed { key, size }),
                _ => return Err(wrong("the listing has an object without a name or a size")),
            },
            b"CommonPrefixes" => match self.folder.take().flatten() {
                Some(folder) if !folder.is_empty() => self.page.folders.push(folder),
                _ => return Err(wrong("the listing has a folder without a name")),
            },
            b"IsTruncated" => {
                let is_truncated = match (text.as_str(), self.is_truncated) {
                    ("true", None) => true,
                    ("false", None) => false,
                    _ => return Err(wrong(&format!("whether the listing goes on is told as {text:?}"))),
                };
                self.is_truncated = Some(is_truncated);
            }
            b"NextContinuationToken" if !text.is_empty() => self.page.next = Some(std::mem::take(text)),
            b"EncodingType" if !text.is_empty() => {
                return Err(wrong(&format!("the listing's names are encoded ({text:?}), which was not asked for")));
            }
            _ => {}
        }
        Ok(())
    }
}

fn broken(detail: &str) -> SourceError {
    SourceError::Broken { detail: detail.to_owned() }
}

fn wrong(detail: &str) -> SourceError {
    SourceError::Other { detail: detail.to_owned() }
}

/// An element opens, or closes with the text in it; the number counts the elements around it.
enum Step<'a, 't> {
    Start(usize, &'a [u8]),
    End(usize, &'a [u8], &'t mut String),
}

fn walk(xml: &[u8], mut take: impl FnMut(Step<'_, '_>) -> Result<(), SourceError>) -> Result<(), SourceError> {
    let unread = |error: &dyn std::error::Error| broken(&error.to_string());
    let mut reader = Reader::from_reader(xml);
    let (mut text, mut depth) = (String::new(), 0_usize);
    loop {
        match reader.read_event().map_err(|error| unread(&error))? {
            Event::Start(start) => {
                text.clear();
                take(Step::Start(depth, start.name().as_ref()))?;
                depth += 1;
            }
            Event::Empty(empty) => {
                text.clear();
                take(Step::Start(depth, empty.name().as_ref()))?;
                take(Step::End(depth, empty.name().as_ref(), &mut text))?;
            }
            Event::Text(piece) => text.push_str(&piece.decode().map_err(|error| unread(&error))?),
            Event::CData(piece) => text.push_str(&piece.decode().map_err(|error| unread(&error))?),
            Event::GeneralRef(name) => match name.resolve_char_ref().map_err(|error| unread(&error))? {
                Some(character) => text.push(character),
                None => {
                    let name = name.decode().map_err(|error| unread(&error))?;
                    let meant = resolve_predefined_entity(&name);
                    text.push_str(meant.ok_or_else(|| broken(&format!("the entity {name} is not known")))?);
                }
            },
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                take(Step::End(depth, end.name().as_ref(), &mut text))?;
                text.clear();
            }
            Event::Eof => return Ok(()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
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
        assert_eq!(listing(xml), Ok(page));
    }

    #[test]
    fn a_listing_that_breaks_off_or_is_none_may_be_whole_the_next_time() {
        let whole = "<ListBucketResult><IsTruncated>false</IsTruncated>\
                     <Contents><Key>k</Key><Size>1</Size></Contents></ListBucketResult>";
        assert!(listing(whole.as_bytes()).is_ok());
        for cut in [0, 10, 40, 70, whole.len() - 1] {
            assert!(matches!(listing(&whole.as_bytes()[..cut]), Err(SourceError::Broken { .. })), "{cut}");
        }
        for other in ["<html></html>", "<html>", "sign in", &format!("<html>{whole}</html>"), &whole.repeat(2)] {
            assert!(matches!(listing(other.as_bytes()), Err(SourceError::Broken { .. })), "{other}");
        }
    }

    #[test]
    fn a_page_that_does_not_say_plainly_whether_more_follow_is_an_error() {
        let page = |parts: &str| listing(format!("<ListBucketResult>{parts}</ListBucketResult>").as_bytes());
        let token = "<NextContinuationToken>t</NextContinuationToken>";
        assert_eq!(page("<IsTruncated>false</IsTruncated>"), Ok(Page::default()));
        let more = Page { next: Some("t".to_owned()), ..Page::default() };
        assert_eq!(page(&format!("<IsTruncated>true</IsTruncated>{token}")), Ok(more));
        for odd in [
            String::new(),
            token.to_owned(),
            "<IsTruncated>true</IsTruncated>".to_owned(),
            "<IsTruncated>true</IsTruncated><NextContinuationToken/>".to_owned(),
            format!("<IsTruncated>false</IsTruncated>{token}"),
            format!("<IsTruncated>True</IsTruncated>{token}"),
            format!("<IsTruncated>1</IsTruncated>{token}"),
            format!("<IsTruncated/>{token}"),
            format!("<isTruncated>true</isTruncated>{token}"),
            format!("<Page><IsTruncated>true</IsTruncated></Page>{token}"),
            "<IsTruncated>false</IsTruncated><IsTruncated>false</IsTruncated>".to_owned(),
            "<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>".to_owned(),
            "<IsTruncated>false</IsTruncated><Contents><Size>1</Size></Contents>".to_owned(),
            "<IsTruncated>false</IsTruncated><Contents><Key>k</Key></Contents>".to_owned(),
            "<IsTruncated>false</IsTruncated><Contents><Key>k</Key><Size>-1</Size></Contents>".to_owned(),
            "<IsTruncated>false</IsTruncated><Contents><Key>k</Key><Key>l</Key><Size>1</Size></Contents>".to_owned(),
            "<IsTruncated>false</IsTruncated><Contents/>".to_owned(),
            "<IsTruncated>false</IsTruncated><CommonPrefixes/>".to_owned(),
        ] {
            assert!(matches!(page(&odd), Err(SourceError::Other { .. })), "{odd}");
        }
    }

    #[test]
    fn an_error_is_its_code_and_message() {
        let told =
            failure(b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>a &gt; b</Message></Error>\n");
        let denied = Failure { code: "AccessDenied".into(), message: "a > b".into(), region: String::new() };
        assert_eq!(told, denied);
        let region = failure(b"<Error><Code>PermanentRedirect</Code><Region>eu-west-1</Region></Error>").region;
        assert_eq!(region, "eu-west-1");
    }

    #[test]
    fn words_that_are_not_s3s_own_say_nothing() {
        for other in [
            "not XML",
            "",
            "<html><Code>NoSuchKey</Code></html>",
            "<html><Error><Code>NoSuchKey</Code></Error></html>",
            "<Error><Code>NoSuchKey</Code>",
            "<Error><Detail><Code>NoSuchKey</Code></Detail></Error>",
        ] {
            assert_eq!(failure(other.as_bytes()), Failure::default(), "{other}");
        }
    }
}
