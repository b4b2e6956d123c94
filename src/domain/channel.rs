//! The closed word lists: each word is said here once, for JSON, SQL and the command line alike.

/// Makes an enum whose variants have one lower-case word each, for JSON, SQL and the command line.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every word of the list, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as JSON, SQL and the command line write it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                let words = Self::ALL.iter().map(|word| word.as_str());
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .enum_values(Some(words))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::channel::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|w| w.as_str() == text).ok_or_else(|| {
                    $crate::domain::channel::UnknownWord {
                        word: text.chars().take(40).collect(),
                        known: Self::ALL.iter().map(|w| w.as_str()).collect::<Vec<_>>().join(", "),
                    }
                })
            }
        }
    };
}

/// A word that isn't in its list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{word}\" is not one of: {known}")]
pub struct UnknownWord {
    /// The word, cut to 40 characters.
    pub word: String,
    /// The words that would do, joined by commas.
    pub known: String,
}

words! {
    /// How the customer spoke. JSON and SQL call it `source`, as the API's users know it.
    Channel {
        /// By telephone, to a voice agent.
        Voice = "voice",
        /// In the web chat widget, or on a web page.
        Web = "web",
        /// On WhatsApp.
        WhatsApp = "whatsapp",
    }
}

words! {
    /// The state of a client.
    ClientStatus {
        /// Books, or may book.
        Active = "active",
        /// Set by a person; becomes active again on a booking.
        Inactive = "inactive",
        /// Set by a person; a delivery never changes it.
        Blocked = "blocked",
    }
}

words! {
    /// Why two clients may be one person.
    DuplicateReason {
        /// A phone of the one and a WhatsApp id of the other arrived together.
        PhoneAndWhatsApp = "phone_and_whatsapp",
        /// Both were told with one account at a salon system.
        ExternalClientId = "external_client_id",
        /// The one's number or WhatsApp id was changed to what is the other's.
        IdentityChange = "identity_change",
    }
}

words! {
    /// What became of the proposal that two clients are one person.
    DuplicateStatus {
        /// A person has to look.
        Proposed = "proposed",
        /// A person has looked: they are two.
        Dismissed = "dismissed",
    }
}

words! {
    /// The state of a booking.
    BookingStatus {
        /// Asked for, not settled.
        Pending = "pending",
        /// Settled.
        Confirmed = "confirmed",
        /// The appointment took place. Final.
        Completed = "completed",
        /// Called off. Final.
        Cancelled = "cancelled",
        /// The customer did not come. Final.
        NoShow = "no_show",
    }
}

words! {
    /// The state of a booking's payment.
    PaymentStatus {
        /// Nothing paid yet.
        Pending = "pending",
        /// A part is paid.
        DepositPaid = "deposit_paid",
        /// All is paid.
        Paid = "paid",
        /// Paid back.
        Refunded = "refunded",
    }
}

words! {
    /// The state of a lead. `new`, `contacted` and `qualified` are open.
    LeadStatus {
        /// Nobody has answered yet.
        New = "new",
        /// Somebody has.
        Contacted = "contacted",
        /// Likely to book.
        Qualified = "qualified",
        /// Booked: a client now.
        Converted = "converted",
        /// Will not book.
        Lost = "lost",
    }
}

words! {
    /// What was said to or by a lead, and how.
    InteractionKind {
        /// Somebody wrote something down.
        Note = "note",
        /// Somebody called: an attempt.
        Call = "call",
        /// A message was written.
        Message = "message",
        /// An e-mail was written.
        Email = "email",
        /// They came by.
        Visit = "visit",
    }
}

words! {
    /// What became of an event.
    EventStatus {
        /// Understood and stored as client, booking and mapping.
        Tracked = "tracked",
        /// Authentic, and nothing in it to track.
        Ignored = "ignored",
        /// Kept for a person, with its reasons.
        NeedsReview = "needs_review",
        /// Refused to a caller that can correct it (chat, n8n), and kept.
        Rejected = "rejected",
        /// Taken while the main database is away.
        Queued = "queued",
        /// Kept raw because storing what it says failed for good.
        Failed = "failed",
    }
}

words! {
    /// What a token or a user may do.
    Role {
        /// Everything, for every tenant.
        PlatformAdmin = "platform_admin",
        /// Everything within one tenant.
        ClientAdmin = "client_admin",
        /// Nothing yet; known so that it can be refused.
        SupportStaff = "support_staff",
        /// A program: webhooks, clients and bookings.
        Service = "service",
    }
}

words! {
    /// Whether a person may sign in.
    UserStatus {
        /// May.
        Active = "active",
        /// May not.
        Disabled = "disabled",
    }
}

words! {
    /// Whether a tenant's deliveries are taken.
    TenantStatus {
        /// They are.
        Active = "active",
        /// They are refused, and its own tokens with them; nothing is lost.
        Disabled = "disabled",
    }
}

words! {
    /// How a tenant writes dates in digits.
    DateOrder {
        /// Day first: 14/03/2026.
        Dmy = "dmy",
        /// Month first: 03/14/2026.
        Mdy = "mdy",
        /// Year first: 2026/03/14.
        Ymd = "ymd",
    }
}
