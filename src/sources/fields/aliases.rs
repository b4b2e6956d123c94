//! The alias table: every name under which a field was seen, in order of preference.
//!
//! Names are compared normalised ([`normalise`](super::normalise)), so that `Customer Name`,
//! `customer_name` and `customerName` are one alias.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Lists the fields: variant, name in `UnifiedBookingData`, aliases from the best to the last.
macro_rules! fields {
    ($($variant:ident $name:literal [$($alias:literal)*];)+) => {
        /// A field of a booking, by what it means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field { $(
            #[doc = concat!("Told as `", $name, "`.")]
            $variant
        ),+ }

        impl Field {
            /// The name in `UnifiedBookingData`: what a person sets it by.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        const TABLE: &[(Field, &[&str])] = &[$((Field::$variant, &[$($alias),*])),+];
    };
}

fields! {
    Phone "customerPhone" [
        "customerphone" "phone" "phonenumber" "customerphonenumber" "callerphone" "callernumber"
        "callerphonenumber" "callbackphone" "callbackphonenumber" "callbacknumber" "bestphone"
        "mobile" "mobilenumber" "mobilephone" "clientphone" "patientphone" "contactnumber"
        "contactphone" "telephone" "tel" "telefonnummer" "whatsappuser" "whatsappnumber" "number"
        "contact"
    ];
    WhatsAppId "whatsappId" ["whatsappid" "whatsappuserid" "bsuid" "fromuserid"];
    FullName "name" [
        "customername" "fullname" "callername" "name" "clientname" "patientname" "guestname"
        "leadname" "username" "callerfullname" "customerfullname" "callersname"
    ];
    FirstName "firstName" [
        "firstname" "customerfirstname" "clientfirstname" "patientfirstname" "callerfirstname"
        "givenname"
    ];
    LastName "lastName" [
        "lastname" "customerlastname" "clientlastname" "patientlastname" "callerlastname"
        "surname" "familyname"
    ];
    Email "email" [
        "email" "customeremail" "emailaddress" "calleremail" "clientemail" "patientemail"
        "useremailaddress" "callersemail" "callersemailid" "emailid"
    ];
    Service "serviceName" [
        "servicename" "service" "servicetype" "servicerequested" "serviceneeded" "selectedservice"
        "treatment" "treatmentname" "procedure" "appointmenttype" "jobtype" "serviceinterest"
        "cleantype" "typeofcleaning" "producttype" "querytype" "servicio" "dienstleistung"
        "department" "specialtyname" "serviceid"
    ];
    Reason "serviceName" ["reason" "reasonforvisit"];
    Category "serviceCategory" ["servicecategory" "category"];
    Start "appointmentDateTime" [
        "newappointmentdatetime" "newdatetime" "newstart" "newstarttime"
        "appointmentdatetime" "datetime" "bookingdatetime" "startsat" "startdatetime" "startat"
        "start" "starttime" "dateandtime" "appointmenttimestamp" "appointmentstart" "chosenslot"
        "selectedslot" "slot" "slotstart" "scheduledfor" "scheduledat" "bookingtime"
        "aicallbookingtime" "when"
    ];
    Date "appointmentDateTime" [
        "newdate" "newappointmentdate" "appointmentdate" "date" "bookingdate" "preferreddate"
        "requesteddate" "selecteddate" "bookeddate" "inspectiondate" "datum"
    ];
    Time "appointmentDateTime" [
        "newtime" "newappointmenttime" "appointmenttime" "time" "preferredtime" "requestedtime"
        "selectedtime" "bookedtime" "timeslot" "slottime" "inspectiontime" "uhrzeit"
    ];
    PreviousStart "previousAppointmentDateTime" [
        "previousappointmentdatetime" "previousdatetime" "previousbookingdatetime" "previousstart"
        "oldappointmentdatetime" "olddatetime" "originaldatetime" "originalappointmentdatetime"
    ];
    Duration "duration" [
        "duration" "durationminutes" "durationmins" "durationmin" "serviceduration"
        "appointmentduration" "lengthminutes"
    ];
    Staff "staffMember" [
        "staffmember" "staffmembername" "staffname" "staff" "stylist" "stylistname" "barber"
        "therapist" "therapistname" "professional" "professionalname" "doctorname" "doctor"
        "physicianname" "technician" "preferredstaff" "preferredstylist" "mitarbeiterwunsch"
        "doctoras"
    ];
    Price "price" [
        "price" "amount" "totalprice" "serviceprice" "totalamount" "total" "cost"
    ];
    Currency "currency" ["currency" "currencycode"];
    Source "source" ["source" "bookingsource" "channel"];
    Status "status" ["status" "bookingstatus" "appointmentstatus"];
    PaymentStatus "paymentStatus" ["paymentstatus"];
    Provider "serviceProvider" ["serviceprovider" "externalservicename"];
    ExternalClient "externalClientId" [
        "externalclientid" "externalserviceclientid" "serviceproviderclientid"
    ];
    Business "businessId" ["businessid" "externalbusinessid"];
    Branch "branchId" ["branchid" "externalbranchid"];
    ExternalBooking "externalBookingId" ["externalbookingid" "serviceproviderbookingid"];
    Reference "externalBookingId" [
        "bookingid" "appointmentid" "bookingreference" "bookingref" "bookingnumber"
        "confirmationnumber" "confirmationid" "confirmationcode" "reservationid" "reference"
        "referencenumber" "ref" "jobid" "dispatchrequestid" "eventid"
    ];
    PhorestClient "phorestClientId" ["phorestclientid"];
    PhorestBusiness "phorestBusinessId" ["phorestbusinessid"];
    PhorestBranch "phorestBranchId" ["phorestbranchid"];
    PhorestBooking "phorestBookingId" ["phorestbookingid" "phorestappointmentid"];
    Notes "notes" [
        "notes" "note" "moredetails" "comments" "comment" "specialrequests" "additionalnotes"
        "kundenpraeferenzen"
    ];
    Booked "booked" [
        "appointmentbooked" "booked" "bookingconfirmed" "appointmentconfirmed" "confirmed"
        "bookingsuccessful" "bookingsuccess" "bookingmade" "appointmentmade" "appointmentset"
        "isbooked" "wasbooked" "servicecasecreated"
    ];
    Cancelled "cancelled" [
        "appointmentcancelled" "appointmentcanceled" "bookingcancelled" "bookingcanceled"
        "cancelled" "canceled"
    ];
    Rescheduled "rescheduled" ["appointmentrescheduled" "bookingrescheduled" "rescheduled"];
    Intent "intent" ["intent" "calltype" "bookingtype" "calloutcome" "outcome"];
}

/// Names that mean a field only in what a booking tool takes or answers; elsewhere `client_id`
/// may be anything, the tenant itself included.
const TOOLS: &[(Field, &[&str])] =
    &[(Field::ExternalClient, &["clientid", "customerid"]), (Field::Reference, &["id", "uid"])];

/// What `--set` takes: the names of `UnifiedBookingData`.
const SETTABLE: &[Field] = &[
    Field::Phone,
    Field::WhatsAppId,
    Field::FirstName,
    Field::LastName,
    Field::Email,
    Field::Service,
    Field::Category,
    Field::Start,
    Field::Duration,
    Field::Staff,
    Field::Price,
    Field::Currency,
    Field::Source,
    Field::Status,
    Field::PaymentStatus,
    Field::Provider,
    Field::ExternalClient,
    Field::Business,
    Field::Branch,
    Field::ExternalBooking,
    Field::PhorestClient,
    Field::PhorestBusiness,
    Field::PhorestBranch,
    Field::PhorestBooking,
    Field::Notes,
];

/// What a field map names beside those: halves of a value that is one in `UnifiedBookingData`.
const HALVES: &[(&str, Field)] = &[
    ("customerName", Field::FullName),
    ("appointmentDate", Field::Date),
    ("appointmentTime", Field::Time),
    ("previousAppointmentDateTime", Field::PreviousStart),
];

type Index = HashMap<&'static str, (Field, usize)>;

static EVERYWHERE: LazyLock<Index> = LazyLock::new(|| index(TABLE));
static IN_TOOLS: LazyLock<Index> = LazyLock::new(|| index(TOOLS));

fn index(table: &[(Field, &'static [&'static str])]) -> Index {
    let entries = table.iter().flat_map(|(field, aliases)| {
        let ranked = aliases.iter().enumerate();
        // Aliases of tools come after all others of their field.
        let after = if table.len() == TOOLS.len() { 1000 } else { 0 };
        ranked.map(move |(rank, alias)| (*alias, (*field, after + rank)))
    });
    entries.collect()
}

/// The field that a normalised name means, and its place among the field's aliases (the lower,
/// the better). The table has its German names without umlauts, as programs write them.
pub(super) fn field_of(name: &str, in_tool: bool) -> Option<(Field, usize)> {
    if name.contains(['ä', 'ö', 'ü', 'ß']) {
        return field_of(&without_umlauts(name), in_tool);
    }
    let found = EVERYWHERE.get(name);
    found.or_else(|| IN_TOOLS.get(name).filter(|_| in_tool)).copied()
}

fn without_umlauts(name: &str) -> String {
    let pairs = [("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")];
    pairs.iter().fold(name.to_owned(), |name, (from, to)| name.replace(from, to))
}

/// True when a normalised name means this field in a booking tool's answer.
#[must_use]
pub fn is_field(name: &str, field: Field) -> bool {
    field_of(name, true).is_some_and(|(found, _)| found == field)
}

/// The field that a person sets by this name of `UnifiedBookingData`.
pub(super) fn settable(name: &str) -> Option<Field> {
    SETTABLE.iter().copied().find(|field| field.name() == name)
}

/// The names by which a person sets fields.
#[must_use]
pub fn settable_names() -> Vec<&'static str> {
    SETTABLE.iter().map(|field| field.name()).collect()
}

/// The field that a field map means by this name.
pub(in crate::sources) fn mappable(name: &str) -> Option<Field> {
    let half = HALVES.iter().find(|(half, _)| *half == name).map(|(_, field)| *field);
    settable(name).or(half)
}

/// The names by which a field map says where a field is.
#[must_use]
pub fn mappable_names() -> Vec<&'static str> {
    settable_names().into_iter().chain(HALVES.iter().map(|(name, _)| *name)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::normalise;
    use super::*;

    #[test]
    fn no_alias_means_two_fields_and_all_are_normalised() {
        let mut seen = HashMap::new();
        for (field, aliases) in TABLE.iter().chain(TOOLS) {
            for alias in *aliases {
                assert_eq!(normalise(alias), *alias);
                assert_eq!(seen.insert(*alias, *field), None, "{alias}");
            }
        }
    }

    #[test]
    fn a_name_is_known_in_every_spelling() {
        for name in ["customerName", "customer_name", "Customer Name", "ＣＵＳＴＯＭＥＲ name"]
        {
            let found = field_of(&normalise(name), false).map(|(field, _)| field);
            assert_eq!(found, Some(Field::FullName), "{name}");
        }
        assert_eq!(
            field_of(&normalise("Caller's email id"), false).map(|f| f.0),
            Some(Field::Email)
        );
        // With umlauts in one piece, in two, and written out.
        for name in ["Kundenpräferenzen", "kundenpra\u{308}ferenzen", "KUNDENPRAEFERENZEN"] {
            let found = field_of(&normalise(name), false).map(|(field, _)| field);
            assert_eq!(found, Some(Field::Notes), "{name}");
        }
        assert_eq!(field_of("clientid", false), None);
        assert_eq!(field_of("clientid", true).map(|f| f.0), Some(Field::ExternalClient));
    }

    #[test]
    fn a_person_sets_fields_by_their_own_names() {
        assert_eq!(settable("customerPhone"), Some(Field::Phone));
        assert_eq!(settable("phorestBookingId"), Some(Field::PhorestBooking));
        assert_eq!(settable("phone"), None);
        assert_eq!(settable("booked"), None);
    }
}
