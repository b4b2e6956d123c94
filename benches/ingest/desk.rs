//! The service on one database, with what is posted to it.

use crate::bodies::{AGENT, Bodies, SECRET};
use crate::load::{self, Plan, Run, Target};
use crate::server::Server;
use crate::service::{self, Service};
use crate::usage;
use std::rc::Rc;

/// A running service.
#[derive(Clone)]
pub(crate) struct Desk {
    service: Rc<Service>,
    target: Target,
    /// Megabytes before anything was posted.
    pub(crate) idle: u64,
}

/// A run of the load, with what it cost.
#[derive(Clone, Debug)]
pub(crate) struct Measure {
    pub(crate) run: Run,
    /// Processor microseconds of the service for each delivery.
    pub(crate) service: f64,
    /// The same of the database server.
    pub(crate) server: f64,
    /// The same of everything else on the machine.
    pub(crate) others: f64,
}

impl Measure {
    pub(crate) fn line(&self, connections: u64) -> String {
        format!(
            "{connections} connections: {:.0}/s, p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms; \
             µs of CPU: service {:.0}, server {:.0}, generator {:.0}, others {:.0}",
            self.run.rate,
            self.run.at(500),
            self.run.at(990),
            self.run.at(999),
            self.service,
            self.server,
            self.run.generator,
            self.others,
        )
    }

    /// What the service and its server take of the processor for each delivery.
    pub(crate) fn cost(&self) -> f64 {
        self.service + self.server
    }
}

impl Desk {
    /// Prepares an empty database and starts the service on it.
    pub(crate) fn open(database: &str, bodies: Bodies) -> Self {
        service::run(database, &["tenant", "add", "--name", "Load"]);
        Self::reopen(database, bodies)
    }

    /// Starts the service for the tenant that is there.
    pub(crate) fn reopen(database: &str, bodies: Bodies) -> Self {
        bodies.check(bookhook::clock::Clock::system().now());
        let add = ["connection", "add", "--source", "retell", "--tenant", "load"];
        service::run(database, &[&add[..], &["--account", AGENT, "--secret", SECRET]].concat());
        let service = service::serve(database, &[]);
        let (idle, target) = (service.memory("VmRSS:"), Target::new(&service.url, bodies));
        Self { service: Rc::new(service), target, idle }
    }

    /// The same service, with other bodies.
    pub(crate) fn with(&self, bodies: Bodies) -> Self {
        Self { target: self.target.with(bodies), ..self.clone() }
    }

    /// Megabytes: `VmRSS:` now, `VmHWM:` at most.
    pub(crate) fn memory(&self, line: &str) -> u64 {
        self.service.memory(line)
    }

    /// Runs the load. `server` is the database's, where it is a process of its own.
    pub(crate) fn measure(&self, plan: Plan, server: Option<&Server>) -> Measure {
        let spent = || {
            let server = server.map_or(0.0, Server::spent);
            (usage::of(self.service.pid()), server, usage::of_machine())
        };
        let before = spent();
        let run = load::run(&self.target, plan);
        let after = spent();
        let each = 1e6 / run.count;
        let (service, server) = ((after.0 - before.0) * each, (after.1 - before.1) * each);
        let others = (after.2 - before.2) * each - service - server - run.generator;
        Measure { run, service, server, others: others.max(0.0) }
    }
}
