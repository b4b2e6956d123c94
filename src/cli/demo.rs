//! `demo`: a real service on throw-away data, and a delivery of every kind.

mod deliver;
mod fixtures;
mod setup;
mod table;

use super::error::{Error, Result};
use super::print::{self, Printer, Record};
use super::serve::Stop;
use crate::app;
use crate::clock::Clock;
use crate::config::Settings;
use deliver::{Demo, Told};
use tokio::sync::oneshot;

/// How long to stay.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Stop once everything is shown; fails when something did not become what it should
    #[arg(long)]
    once: bool,
}

/// Sets up, serves, delivers, shows; then serves on until it is stopped.
pub(super) async fn run(
    settings: Settings,
    clock: Clock,
    printer: Printer,
    args: Args,
) -> Result<()> {
    let mut stop = Stop::listen()?;
    let directory = tempfile::tempdir()?;
    let settings = setup::settings(settings, directory.path());
    let fixtures = fixtures::all()?;
    let made = setup::make(&settings, clock.clone(), printer, &fixtures).await?;
    let app = app::build(&settings, clock.clone()).await?;
    let demo = Demo::new(&app.url(), made, clock)?;
    let (ready, is_ready) = oneshot::channel();
    let (end, is_ended) = oneshot::channel();
    let ended = async { drop(is_ended.await) };
    let serving = app.run_until_stopped(ended, || {
        ready.send(()).ok();
    });
    let showing = async {
        let shown = tokio::select! {
            shown = show(&demo, &fixtures, printer, &args, is_ready) => shown,
            () = stop.asked() => Ok(()),
        };
        end.send(()).ok();
        shown
    };
    let (served, shown) = tokio::join!(serving, showing);
    served?;
    shown
}

/// Delivers everything and shows it; without `--once` it never ends well.
async fn show(
    demo: &Demo,
    fixtures: &[fixtures::Fixture],
    printer: Printer,
    args: &Args,
    is_ready: oneshot::Receiver<()>,
) -> Result<()> {
    if is_ready.await.is_err() {
        return Ok(()); // the service did not start, and says why
    }
    let mut told = Vec::new();
    for fixture in fixtures {
        told.extend(demo.deliver(fixture).await?);
    }
    print_all(demo, printer, &told, args.once)?;
    let as_expected = told.iter().all(Told::is_as_expected);
    if !args.once {
        std::future::pending::<()>().await;
    }
    if as_expected { Ok(()) } else { Err(Error::Told) }
}

fn print_all(demo: &Demo, printer: Printer, told: &[Told], once: bool) -> Result<()> {
    if printer.json {
        let records = told.iter().map(Told::record).collect::<Vec<_>>();
        let record = Record::default()
            .with("ok", told.iter().all(Told::is_as_expected))
            .with("url", demo.url())
            .with("token", demo.token())
            .with("events", records);
        return Ok(printer.record(&record)?);
    }
    print::say(&table::of(told))?;
    print::say(&format!("\n{}", summary(told)))?;
    if !once {
        print::say(&format!("\n{}", further(demo)))?;
    }
    Ok(())
}

/// What came of it all, and what did not become what it should.
fn summary(told: &[Told]) -> String {
    let differing: Vec<String> = told.iter().filter_map(Told::difference).collect();
    let found = told.iter().filter(|told| told.found_more()).count();
    let events = told.iter().filter(|told| !told.is_empty()).count();
    let mut lines = vec![format!("{events} events delivered and answered.")];
    if found > 0 {
        lines.push(format!(
            "* {found} of them change a booking or a person that another delivery had told of. Alone \
             they would\n  wait for it, or change nothing."
        ));
    }
    if differing.is_empty() {
        lines.push("Every outcome is the expected one.".to_owned());
    } else {
        lines.push(format!("NOT as expected:\n  {}", differing.join("\n  ")));
    }
    lines.join("\n")
}

/// Where to look next.
fn further(demo: &Demo) -> String {
    let (url, token) = (demo.url(), demo.token());
    let get = "curl -H \"Authorization: Bearer $token\"";
    let tenant = format!("{url}/api/platform/tenants/{}", setup::FIRST_SLUG);
    format!(
        "The service runs at {url}; to look further:\n  \
         token={token}\n  \
         {get} {tenant}/clients\n  \
         {get} '{tenant}/events?status=needs_review'\n\
         Stop it with Ctrl-C; its data goes with it."
    )
}
