//! Where the table's files go: a directory, or whatever else can take files whole or not at all.

use std::fmt::{Debug, Display};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::SinkError;
use super::claim::{self, Claim};

/// A place that files are written to. Paths are below it, with `/`.
pub trait Store: Send + Sync {
    /// Where it is, as it was named.
    fn name(&self) -> String;

    /// Claims it for one table: until the claim is dropped, no other run can. Where a run that was killed left a part of a
    /// table, that is taken away first, or the error says what to remove.
    ///
    /// # Errors
    /// [`SinkError::DestinationTaken`] when something stands there; [`SinkError::File`] when nothing can be put there.
    fn claim(&self) -> Result<Claim, SinkError>;

    /// Starts a file that no reader sees before it is published.
    ///
    /// # Errors
    /// When it cannot be made.
    fn create(&self, path: &str) -> io::Result<Box<dyn StoredFile>>;
}

impl Debug for dyn Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

/// A file in the making. One that is dropped without being published leaves nothing.
pub trait StoredFile: Write + Send {
    /// Makes sure of every byte, so that publishing is all that is left, and says how many there are. Nothing is written
    /// after it, and whatever writing takes is given back: a table has more files than a program may hold open.
    ///
    /// # Errors
    /// When bytes cannot be written.
    fn seal(&mut self) -> io::Result<u64>;

    /// Gives the sealed file its name.
    ///
    /// # Errors
    /// When it cannot be named.
    fn publish(&mut self) -> io::Result<()>;

    /// Takes the file away again, published or not.
    fn discard(&mut self);
}

/// A directory. Files have a hidden name until they are published.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// A directory, which is made when it is claimed or written to.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Store for Directory {
    fn name(&self) -> String {
        self.root.display().to_string()
    }

    fn claim(&self) -> Result<Claim, SinkError> {
        claim::of_directory(&self.root)
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn StoredFile>> {
        let path = self.root.join(path);
        let folder = path.parent().unwrap_or(&self.root).to_owned();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = folder.join(format!(".{name}.partial"));
        fs::create_dir_all(&folder)?;
        let file = Some(BufWriter::new(File::create_new(&temporary)?));
        Ok(Box::new(LocalFile { file, temporary, path, root: self.root.clone(), is_published: false }))
    }
}

struct LocalFile {
    /// Until it is sealed.
    file: Option<BufWriter<File>>,
    temporary: PathBuf,
    path: PathBuf,
    root: PathBuf,
    is_published: bool,
}

impl Drop for LocalFile {
    fn drop(&mut self) {
        if !self.is_published {
            self.discard();
        }
    }
}

impl LocalFile {
    fn unsealed(&mut self) -> io::Result<&mut BufWriter<File>> {
        self.file.as_mut().ok_or_else(|| io::Error::other("the file is sealed"))
    }
}

impl Write for LocalFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unsealed()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unsealed()?.flush()
    }
}

impl StoredFile for LocalFile {
    fn seal(&mut self) -> io::Result<u64> {
        self.flush()?;
        let file = self.unsealed()?.get_ref();
        file.sync_all()?;
        let bytes = file.metadata()?.len();
        self.file = None;
        Ok(bytes)
    }

    fn publish(&mut self) -> io::Result<()> {
        name_anew(&self.temporary, &self.path)?;
        self.is_published = true;
        Ok(())
    }

    fn discard(&mut self) {
        let stands = if self.is_published { &self.path } else { &self.temporary };
        // The table is being given up already; a file that cannot be removed lacks the name or the report of a whole table.
        let _ = fs::remove_file(stands);
        let below = self.path.ancestors().skip(1).take_while(|folder| *folder != self.root);
        // Only empty folders can be removed, and only those are meant.
        below.take_while(|folder| fs::remove_dir(folder).is_ok()).for_each(drop);
    }
}

/// Renames a file to a name that nothing has.
fn name_anew(from: &Path, to: &Path) -> io::Result<()> {
    match TempPath::try_from_path(from)?.persist_noclobber(to) {
        Ok(()) => Ok(()),
        Err(mut refused) if refused.error.kind() != io::ErrorKind::AlreadyExists => {
            refused.path.disable_cleanup(true);
            // A file system that can neither rename so nor link: the name is made first, and then replaced.
            File::create_new(to)?;
            fs::rename(from, to).inspect_err(|_| {
                // It is empty, and nobody else's.
                let _ = fs::remove_file(to);
            })
        }
        Err(taken) => Err(taken.error),
    }
}

/// The text of a place for messages.
pub(super) fn place(store: &dyn Store, path: &dyn Display) -> String {
    format!("{}/{path}", store.name().trim_end_matches('/'))
}
