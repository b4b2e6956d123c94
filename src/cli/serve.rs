//! `serve`: the service, until it is stopped.

use super::error::Result;
use super::print::{self, Printer, Record};
use crate::app;
use crate::clock::Clock;
use crate::config::Settings;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Runs the service, and prints one line with its address once it takes deliveries. The first
/// signal lets it finish what was taken; the second ends it at once.
pub(super) async fn run(settings: &Settings, clock: Clock, printer: Printer) -> Result<()> {
    let mut stop = Stop::listen()?;
    let app = app::build(settings, clock).await?;
    let url = app.url();
    let announce = || {
        if let Err(error) = announce(printer, &url) {
            tracing::warn!(%error, "the address could not be printed");
        }
    };
    let (say, asked) = tokio::sync::oneshot::channel::<()>();
    let asked = async {
        // It is dropped only after it was heard.
        asked.await.unwrap_or_default();
    };
    let twice = async {
        stop.asked().await;
        say.send(()).unwrap_or_default();
        stop.asked().await;
    };
    tokio::select! {
        ended = app.run_until_stopped(asked, announce) => Ok(ended?),
        () = twice => {
            tracing::warn!("a second signal: ending at once");
            std::process::exit(1);
        }
    }
}

fn announce(printer: Printer, url: &str) -> io::Result<()> {
    if printer.json {
        return print::line(&Record::default().with("url", url));
    }
    print::say(&format!("listening on {url}"))
}

/// The signals that stop a service.
pub(super) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// Takes the signals from now on, so that none is missed.
    pub(super) fn listen() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next of them.
    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
