//! Commands that are printed to be typed: every argument means what it says, whatever the shell and `DuckDB` make of it.

use std::ffi::OsStr;
use std::path::Path;

use super::text::is_unsafe;
use super::values::ArchiveAddress;

/// What no shell reads anything into.
fn is_inert(c: char) -> bool {
    c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c)
}

/// A text that can be shown as it is.
fn shown(text: &OsStr) -> Option<&str> {
    text.to_str().filter(|text| !text.chars().any(is_unsafe))
}

/// One argument, in quotes where it needs them.
fn argument(text: &OsStr) -> String {
    match shown(text) {
        Some(text) if !text.is_empty() && text.chars().all(is_inert) => text.to_owned(),
        Some(text) => format!("'{}'", text.replace('\'', r"'\''")),
        None => in_escapes(text),
    }
}

/// `$'…'`, as bash, ksh and zsh read it: bytes that are no text, and characters that cannot be seen, by number.
fn in_escapes(text: &OsStr) -> String {
    let mut quoted = "$'".to_owned();
    for chunk in text.as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' | '\\' => quoted.extend(['\\', c]),
                c if is_unsafe(c) => push_bytes(&mut quoted, c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => quoted.push(c),
            }
        }
        push_bytes(&mut quoted, chunk.invalid());
    }
    quoted.push('\'');
    quoted
}

/// Octal takes three digits and no more, so that no digit behind it is taken for one of them.
fn push_bytes(quoted: &mut String, bytes: &[u8]) {
    quoted.extend(bytes.iter().map(|byte| format!("\\{byte:03o}")));
}

/// A path as an argument that is not taken for an option.
pub(super) fn path(path: &Path) -> String {
    if path.as_os_str().as_encoded_bytes().starts_with(b"-") {
        return argument(Path::new(".").join(path).as_os_str());
    }
    argument(path.as_os_str())
}

/// The command that counts the calls of a table.
pub(super) fn count_calls(table: &ArchiveAddress) -> String {
    match table {
        ArchiveAddress::S3 { bucket, prefix } => duckdb(&format!("s3://{bucket}/{prefix}")),
        ArchiveAddress::Directory(folder) => match shown(folder.as_os_str()) {
            // A backslash is a separator to DuckDB, and a tilde in front somebody's home.
            Some(text) if !text.contains('\\') && !text.starts_with('~') => duckdb(text),
            _ => format!("cd {} && {}", path(folder), duckdb(".")),
        },
    }
}

fn duckdb(folder: &str) -> String {
    let folder = match folder.trim_end_matches('/') {
        "." => String::new(),
        folder => format!("{}/", in_glob(folder)),
    };
    let sql = format!(
        "select event_name, count(*) from read_parquet('{folder}events/**/*.parquet') group by 1 order by 2 desc",
        folder = folder.replace('\'', "''"),
    );
    // These keep their meaning between double quotes.
    let quoted =
        if sql.contains(['$', '`', '"', '\\', '!']) { argument(OsStr::new(&sql)) } else { format!("\"{sql}\"") };
    format!("duckdb -c {quoted}")
}

/// A name in a pattern of names that fits itself alone.
fn in_glob(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '*' | '?' | '[' => pattern.extend(['[', c, ']']),
            c => pattern.push(c),
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(destination: &str) -> String {
        let (before, after) = (" from read_parquet(", ") group by 1 order by 2 desc");
        let command = count_calls(&destination.parse().expect("an address"));
        let (head, rest) = command.split_once(before).expect("a query");
        format!(
            "{}{}",
            head.replace("duckdb -c ", "").replace("select event_name, count(*)", "…"),
            rest.replace(after, "")
        )
    }

    #[test]
    fn a_table_is_named_so_that_shell_and_duckdb_find_it() {
        for (destination, expected) in [
            ("target/table/", r#""…'target/table/events/**/*.parquet'""#),
            ("carol's case", r#""…'carol''s case/events/**/*.parquet'""#),
            ("[2026]*?", r#""…'[[]2026][*][?]/events/**/*.parquet'""#),
            ("$HOME/`x`", r"'…'\''$HOME/`x`/events/**/*.parquet'\'''"),
            (".", r#""…'events/**/*.parquet'""#),
            ("s3://lake-bucket/it's/[a]", r#""…'s3://lake-bucket/it''s/[[]a]/events/**/*.parquet'""#),
            (r"a\b", r#"cd 'a\b' && "…'events/**/*.parquet'""#),
            ("~", r#"cd '~' && "…'events/**/*.parquet'""#),
            ("-a\u{202e}\n1", r#"cd $'./-a\342\200\256\0121' && "…'events/**/*.parquet'""#),
        ] {
            assert_eq!(command(destination), expected);
        }
    }

    #[test]
    fn arguments_are_quoted_only_where_they_need_it() {
        let quoted = |text: &str| argument(OsStr::new(text));
        assert_eq!([quoted("a/b-c.json"), quoted(""), quoted("it's $5")], ["a/b-c.json", "''", r"'it'\''s $5'"]);
        assert_eq!(path(Path::new("-x")), "./-x");
    }
}
