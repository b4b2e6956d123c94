//! How often one caller may ask, and how often one address may fail to say who it is.
//!
//! A delivery that verifies is never turned away here: a provider's retries are finite. An
//! address is throttled only after its authentications failed.

use super::Shared;
use super::extract::{shared, token};
use super::problem::Problem;
use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use sha2::{Digest as _, Sha256};
use std::net::IpAddr;
use std::num::NonZeroU32;

const fn constant(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

/// Counts callers of the API and failures.
pub struct Throttle {
    callers: DefaultKeyedRateLimiter<[u8; 32]>,
    failures: DefaultKeyedRateLimiter<Option<IpAddr>>,
    clock: DefaultClock,
}

impl Throttle {
    /// Lets each token ask the API `a_second` times a second on the average, and twice that at
    /// once; and each address fail to say who it is `a_second` times, of which a hundredth comes
    /// back a second.
    #[must_use]
    pub fn new(a_second: NonZeroU32) -> Self {
        let quota = Quota::per_second(a_second).allow_burst(a_second.saturating_mul(constant(2)));
        let back = constant(a_second.get() / 100);
        let failures = Quota::per_second(back).allow_burst(a_second);
        Self {
            callers: DefaultKeyedRateLimiter::keyed(quota),
            failures: DefaultKeyedRateLimiter::keyed(failures),
            clock: DefaultClock::default(),
        }
    }

    /// Forgets who has not asked for a while: the memory stays bounded by who asks now.
    pub fn tidy(&self) {
        self.callers.retain_recent();
        self.failures.retain_recent();
        self.callers.shrink_to_fit();
        self.failures.shrink_to_fit();
    }

    /// Counts a request; the seconds to wait when it was one too many.
    fn caller(&self, token: &str) -> Result<(), u64> {
        let key = Sha256::digest(token.as_bytes()).into();
        let checked = self.callers.check_key(&key);
        checked.map_err(|no| no.wait_time_from(self.clock.now()).as_secs() + 1)
    }

    /// Counts a failure; the seconds to wait when it was one too many.
    fn failure(&self, address: Option<IpAddr>) -> Result<(), u64> {
        let checked = self.failures.check_key(&address);
        checked.map_err(|no| no.wait_time_from(self.clock.now()).as_secs() + 1)
    }
}

impl std::fmt::Debug for Throttle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Throttle")
    }
}

/// Turns away the caller of the API that asks too often, and the address that fails too often.
pub(super) async fn throttle(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let shared: Shared = shared(request.request())?.clone();
    let address = request.peer_addr().map(|peer| peer.ip());
    if request.path().starts_with("/api/")
        && let Some(token) = token(request.headers())
        && let Err(seconds) = shared.throttle.caller(token)
    {
        let detail = "this token asks too often: wait as long as Retry-After says";
        return Ok(Problem::too_many(detail, seconds).refuse(request));
    }
    let response = next.call(request).await?;
    if response.status() == StatusCode::UNAUTHORIZED
        && let Err(seconds) = shared.throttle.failure(address)
    {
        let detail = "too many failed authentications came from this address";
        let problem = Problem::too_many(detail, seconds);
        let (request, _) = response.into_parts();
        let refused = actix_web::HttpResponse::from_error(problem);
        return Ok(ServiceResponse::new(request, refused));
    }
    Ok(response.map_into_boxed_body())
}
