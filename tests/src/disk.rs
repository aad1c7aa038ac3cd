//! Disks of a test's own: one that fills up, and one whose power can be cut. Only root can mount them, and not everywhere.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Size of the file systems that are images, in bytes.
const IMAGE_BYTES: u64 = 96 << 20;

/// A file system that was mounted for a test; unmounted when dropped.
pub struct Disk {
    folder: TempDir,
}

impl Drop for Disk {
    fn drop(&mut self) {
        let point = self.path();
        if run("umount", &[point.as_os_str()]).is_err() {
            // Something in it is still open. It goes as soon as that is closed.
            let _ = run("umount", &["--lazy".as_ref(), point.as_os_str()]);
        }
    }
}

fn run(program: &str, words: &[&std::ffi::OsStr]) -> Result<(), String> {
    let told = |output: Output| {
        // Its first line says what; the others say where to read on.
        let text = String::from_utf8_lossy(&output.stderr);
        let first = text.lines().next().unwrap_or_default().trim_start_matches(&format!("{program}: "));
        if output.status.success() { Ok(()) } else { Err(format!("{program}: {first}")) }
    };
    Command::new(program).args(words).output().map_err(|error| format!("{program}: {error}")).and_then(told)
}

impl Disk {
    /// A disk in memory, of so many bytes.
    ///
    /// # Errors
    /// Why this machine does not let a test have one.
    pub fn in_memory(bytes: u64) -> Result<Self, String> {
        let size = format!("size={bytes}");
        Self::mounted(&["-t".as_ref(), "tmpfs".as_ref(), "-o".as_ref(), size.as_ref(), "tmpfs".as_ref()])
    }

    /// A disk that is an image in a file, with ext4 on it.
    ///
    /// # Errors
    /// Why this machine does not let a test have one.
    pub fn of_image(image: &Path) -> Result<Self, String> {
        // After an error of the device nothing more is written, as is usual for the disk of a server.
        let options = "loop,errors=remount-ro";
        Self::mounted(&["-t".as_ref(), "ext4".as_ref(), "-o".as_ref(), options.as_ref(), image.as_os_str()])
    }

    fn mounted(words: &[&std::ffi::OsStr]) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let disk = Self { folder };
        fs::create_dir(disk.path()).map_err(|error| error.to_string())?;
        run("mount", &[words, &[disk.path().as_os_str()]].concat())?;
        Ok(disk)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// Where a database is kept on it.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path().join("grantry.db")
    }

    /// Fills it to the last byte with a file, which is given back.
    ///
    /// # Panics
    /// When the file cannot be made.
    #[must_use]
    pub fn fill(&self) -> PathBuf {
        let ballast = self.path().join("ballast");
        let mut file = File::options().create(true).append(true).open(&ballast).expect("a file can be made");
        for piece in [1 << 20, 4096, 1] {
            while file.write_all(&vec![7; piece]).is_ok() {}
        }
        ballast
    }

    /// Lets it be read only, or written again.
    ///
    /// # Errors
    /// When this machine does not let a test do so.
    pub fn remount(&self, how: &str) -> Result<(), String> {
        run("mount", &["-o".as_ref(), format!("remount,{how}").as_ref(), self.path().as_os_str()])
    }

    /// Does to it what an error of the device does: from now on it can only be read.
    ///
    /// # Errors
    /// When this machine's kernel cannot.
    pub fn fail(&self) -> Result<(), String> {
        run("mount", &["-o".as_ref(), "remount,abort".as_ref(), self.path().as_os_str()])
    }
}

/// An empty image with ext4 on it.
///
/// # Errors
/// Why this machine cannot make one.
pub fn image(path: &Path) -> Result<(), String> {
    let file = File::create(path).map_err(|error| error.to_string())?;
    file.set_len(IMAGE_BYTES).map_err(|error| error.to_string())?;
    run("mkfs.ext4", &["-q".as_ref(), path.as_os_str()])
}
