//! A process of the real binary, with its HTTP endpoints and signals.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Maximum time for a process to start, and for a reply.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A running process. It is killed on drop.
pub(crate) struct Process {
    role: String,
    address: String,
    id: u32,
    output: Arc<Mutex<String>>,
    ended: Receiver<ExitStatus>,
    over: bool,
}

/// Ending of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Exited with this code.
    Code(i32),
    /// Killed by a signal.
    Killed,
}

impl Process {
    /// Starts the process and waits for the line with its address.
    pub(crate) fn start(mut command: Command, role: &[&str]) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let output = Arc::new(Mutex::new(String::new()));
        let (sender, lines) = channel();
        collect(
            child.stdout.take().expect("it is piped"),
            &output,
            Some(sender),
        );
        collect(child.stderr.take().expect("it is piped"), &output, None);
        let id = child.id();
        let mut process = Self {
            role: role.join(" "),
            address: String::new(),
            id,
            output,
            ended: waited_for(child),
            over: false,
        };
        let line = lines
            .recv_timeout(TIMEOUT)
            .unwrap_or_else(|_| panic!("{} is not up: {}", process.role, process.output_text()));
        let (_, address) = line
            .rsplit_once("http://")
            .unwrap_or_else(|| panic!("{line} names no address"));
        process.address = address.to_owned();
        process
    }

    /// Address of the process.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Status and body of a GET.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let answer = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(&self.address)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            write!(
                stream,
                "GET {path} HTTP/1.1\r\nhost: chorus\r\nconnection: close\r\n\r\n"
            )?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            Ok(text)
        };
        let text = answer().unwrap_or_else(|error| {
            panic!("{} {path}: {error}: {}", self.role, self.output_text())
        });
        let status = text
            .split_whitespace()
            .nth(1)
            .and_then(|word| word.parse().ok());
        let body = text
            .split_once("\r\n\r\n")
            .map_or("", |(_, body)| body)
            .to_owned();
        (
            status.unwrap_or_else(|| panic!("{text} is no answer")),
            body,
        )
    }

    /// Value of a metric, by its name with all its labels; 0 if it is missing.
    pub(crate) fn figure(&self, name: &str) -> f64 {
        let text = self.get("/metrics").1;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a figure"))
    }

    /// Sends SIGTERM.
    pub(crate) fn signal(&self) {
        let sent = Command::new("kill")
            .args(["-TERM", &self.id.to_string()])
            .status()
            .expect("kill runs");
        assert!(
            sent.success(),
            "{} is gone already: {}",
            self.role,
            self.output_text()
        );
    }

    /// Returns true if the output contains these words.
    #[cfg(feature = "distributed")]
    pub(crate) fn has_output(&self, words: &str) -> bool {
        self.output_text().contains(words)
    }

    /// Waits for the exit.
    pub(crate) fn ended(mut self, within: Duration) -> Ended {
        let status = self.ended.recv_timeout(within);
        let status = status.unwrap_or_else(|_| {
            panic!(
                "{} has not ended after {within:?}: {}",
                self.role,
                self.output_text()
            )
        });
        self.over = true;
        status.code().map_or(Ended::Killed, Ended::Code)
    }

    /// Sends SIGTERM and asserts a successful exit within this time.
    pub(crate) fn ends_in_order(self, within: Duration) {
        self.signal();
        let (role, output) = (self.role.clone(), Arc::clone(&self.output));
        let ended = self.ended(within);
        assert_eq!(ended, Ended::Code(0), "{role}: {}", text(&output));
    }

    fn output_text(&self) -> String {
        text(&self.output)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.over {
            // The process may have exited meanwhile.
            let _ = Command::new("kill")
                .args(["-KILL", &self.id.to_string()])
                .stderr(Stdio::null())
                .status();
        }
    }
}

fn text(output: &Mutex<String>) -> String {
    output
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// Collects the output and sends each line to the channel.
fn collect(
    stream: impl Read + Send + 'static,
    output: &Arc<Mutex<String>>,
    sender: Option<Sender<String>>,
) {
    let output = Arc::clone(output);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
            output.push_str(&line);
            output.push('\n');
            if let Some(sender) = &sender {
                // Only the first line is awaited.
                let _ = sender.send(line);
            }
        }
    });
}

/// Reaps the process and sends its exit status.
fn waited_for(mut child: Child) -> Receiver<ExitStatus> {
    let (sender, ended) = channel();
    thread::spawn(move || {
        if let Ok(status) = child.wait() {
            // The test may have ended.
            let _ = sender.send(status);
        }
    });
    ended
}
