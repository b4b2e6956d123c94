//! Tokens and passwords become an [`Access`]; nothing else can build one.

pub mod connecting;

use crate::domain::channel::Role;
use crate::domain::ids;
use crate::storage::tokens::{self, LiveToken};
use crate::storage::{self, Conn, Db, users};
use argon2::{Argon2, PasswordHasher};
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a token begins with, so that people and secret scanners know one when they see it.
const PREFIX: &str = "bk_live_";

/// Proof of who is asking, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    tenant: Option<Uuid>,
    role: Role,
    token_id: Uuid,
}

impl Access {
    /// The one tenant it is for; `None` for the whole platform.
    #[must_use]
    pub fn tenant(&self) -> Option<Uuid> {
        self.tenant
    }

    /// What it may do.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The token's id: for logs and the audit log.
    #[must_use]
    pub fn token_id(&self) -> Uuid {
        self.token_id
    }

    /// Who is asking, for the audit log.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("token:{}", self.token_id)
    }

    /// True when it may see that the tenant exists at all.
    #[must_use]
    pub fn reaches(&self, tenant: Uuid) -> bool {
        self.tenant.is_none_or(|own| own == tenant)
    }

    /// True when its role has this permission. This is the table of roles, whole.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        match self.role {
            Role::PlatformAdmin => true,
            Role::ClientAdmin => permission != Permission::Platform,
            Role::Service => matches!(permission, Permission::Deliver | Permission::Records),
            Role::SupportStaff => false,
        }
    }
}

/// What a role may be allowed to do, within what its tenant reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Deliver events.
    Deliver,
    /// Read and write clients, bookings and leads, and read events.
    Records,
    /// Run a tenant: review events, connections, tokens, users, exports, the audit log.
    Manage,
    /// Run the platform: tenants, and what belongs to none.
    Platform,
}

/// Why no access was given.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No such token, or it is revoked or has run out.
    #[error("the token is not known, or no longer good")]
    Unknown,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

/// Why a token or user could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// A platform admin's token or account can't belong to one tenant, nor another's to none.
    #[error("{0}")]
    Unfit(&'static str),
    /// The operating system gave no randomness, or hashing failed.
    #[error("the token or password could not be made")]
    NoRandomness,
    /// The e-mail is taken.
    #[error("a user with this e-mail exists already")]
    Taken,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

/// The access that a token gives. Notes, to the minute, that it was used.
///
/// # Errors
/// [`AuthError::Unknown`] for a token that isn't good; the database's errors.
pub async fn by_token(db: &Db, token: &str, now: DateTime<Utc>) -> Result<Access, AuthError> {
    // Looked up by its hash: nothing about the token can be learned from how long that takes.
    let hash = hash(token);
    let row = tokens::find_live(&mut db.reader().await?.conn(), &hash, now).await?;
    let row = row.ok_or(AuthError::Unknown)?;
    let minute_ago = now - TimeDelta::minutes(1);
    if row.last_used_at.is_none_or(|at| at < minute_ago)
        && let Err(error) = note_use(db, row.id, now, minute_ago).await
    {
        // Nobody is turned away because a note could not be made.
        tracing::debug!(%error, "a token's use could not be noted");
    }
    let role = row.role.parse().map_err(|_| AuthError::Unknown)?;
    Ok(Access { tenant: row.tenant_id, role, token_id: row.id })
}

/// Tokens as they were when the database was last read: what vouches for a caller while it is away.
#[derive(Clone, Debug, Default)]
pub struct Keyring(BTreeMap<String, LiveToken>);

impl Keyring {
    /// A keyring of these tokens.
    #[must_use]
    pub fn new(tokens: Vec<LiveToken>) -> Self {
        Self(tokens.into_iter().map(|token| (token.token_hash.clone(), token)).collect())
    }

    /// The access that a token gives.
    #[must_use]
    pub fn access(&self, token: &str, now: DateTime<Utc>) -> Option<Access> {
        let row = self.0.get(&hash(token))?;
        let role = row.role.parse().ok()?;
        let is_good = row.expires_at.is_none_or(|at| at > now);
        is_good.then_some(Access { tenant: row.tenant_id, role, token_id: row.id })
    }
}

async fn note_use(
    db: &Db,
    token: Uuid,
    now: DateTime<Utc>,
    not_since: DateTime<Utc>,
) -> storage::Result<()> {
    let mut tx = db.begin().await?;
    tokens::touch(&mut tx.conn(), token, now, not_since).await?;
    tx.commit().await
}

/// Makes a token and answers its id and the token itself: the only time it can be seen.
///
/// # Errors
/// [`MakeError::Unfit`] when role and tenant don't go together; the database's errors.
pub async fn make_token(
    conn: &mut Conn<'_>,
    tenant: Option<Uuid>,
    role: Role,
    name: &str,
    (now, expires_at): (DateTime<Utc>, Option<DateTime<Utc>>),
) -> Result<(Uuid, String), MakeError> {
    check_fit(tenant, role)?;
    let text = ids::random_text(40).map_err(|_| MakeError::NoRandomness)?;
    let token = format!("{PREFIX}{text}");
    let times = (now, expires_at);
    let id = tokens::insert(conn, &hash(&token), tenant, role, name, times).await?;
    Ok((id, token))
}

/// Makes a user; the password is kept as an Argon2id hash only.
///
/// # Errors
/// [`MakeError::Unfit`] or [`MakeError::Taken`]; the database's errors.
pub async fn make_user(
    conn: &mut Conn<'_>,
    email: &str,
    password: &str,
    role: Role,
    tenant: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<Uuid, MakeError> {
    check_fit(tenant, role)?;
    let email = email.trim().to_lowercase();
    if !email.contains('@') {
        return Err(MakeError::Unfit("--email is not an e-mail address"));
    }
    let hash = password_hash(password)?;
    let id = users::insert(conn, &email, &hash, role, tenant, now).await?;
    id.ok_or(MakeError::Taken)
}

/// The Argon2id hash of a password. It costs tens of milliseconds of computing.
///
/// # Errors
/// [`MakeError::Unfit`] for one of fewer than 12 characters.
pub fn password_hash(password: &str) -> Result<String, MakeError> {
    if password.chars().count() < 12 {
        return Err(MakeError::Unfit("a password has at least 12 characters"));
    }
    let hash = Argon2::default().hash_password(password.as_bytes());
    Ok(hash.map_err(|_| MakeError::NoRandomness)?.to_string())
}

fn check_fit(tenant: Option<Uuid>, role: Role) -> Result<(), MakeError> {
    match (tenant, role) {
        (Some(_), Role::PlatformAdmin) => {
            Err(MakeError::Unfit("a platform_admin belongs to no tenant: use --platform"))
        }
        (None, Role::ClientAdmin | Role::SupportStaff) => {
            Err(MakeError::Unfit("this role belongs to a tenant: use --tenant"))
        }
        _ => Ok(()),
    }
}

fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}
