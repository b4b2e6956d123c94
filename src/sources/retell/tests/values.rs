//! The names and the values that agents and their analysis fill in.

use super::*;

#[test]
fn a_name_that_an_agents_author_made_up_is_known() {
    let day = json!({"appointment_booked": "Yes", "Service": "Cut",
        "date": "2026-12-02", "time": "15:00"});
    let with = |name: &str, value: &str| {
        let mut custom = day.clone();
        custom[name] = json!(value);
        booking(&analyzed(&custom))
    };
    for name in [
        "caller_name", "Caller_Name", "customer_name", "name", "full_name", "patient_name",
        "lead_name", "user_name", "Caller Full Name", "customerName", "Caller's Name",
    ] {
        let told = with(name, "Áine O'Brien");
        assert_eq!(
            (told.first_name.as_deref(), told.last_name.as_deref()),
            (Some("Áine"), Some("O'Brien")),
            "{name}"
        );
    }
    assert_eq!(with("patient_first_name", "中村").first_name.as_deref(), Some("中村"));
    for name in [
        "phone", "Phone_number", "customer_phone", "customerPhone", "caller_phone",
        "caller_number", "caller_phone_number", "callback_phone", "Callback Phone Number",
        "best_phone", "mobile", "number", "contact", "Telefonnummer",
    ] {
        let told = with(name, "086 555 0199").customer_phone.unwrap();
        assert_eq!(told.as_str(), "+353865550199", "{name}");
    }
    for name in [
        "email", "caller_email", "customer_email", "email_address", "user_email_address",
        "Caller's email id", "Caller\u{2019}s Email",
    ] {
        assert_eq!(with(name, "Ann@example.ie").email.as_deref(), Some("ann@example.ie"), "{name}");
    }
    for name in ["mitarbeiter_wunsch", "doctoras", "physician_name", "Stylist"] {
        assert_eq!(with(name, "Aoife").staff_member.as_deref(), Some("Aoife"), "{name}");
    }
    for name in ["notes", "Comments", "kundenpraeferenzen", "Kundenpräferenzen"] {
        assert_eq!(with(name, "first floor").notes.as_deref(), Some("first floor"), "{name}");
    }
    for name in ["duration", "durationMinutes", "duration_minutes"] {
        assert_eq!(with(name, "60").duration, Some(60), "{name}");
    }
}

#[test]
fn what_and_when_are_known_by_every_name_that_was_seen() {
    for name in [
        "service_type", "service_requested", "service_needed", "service", "service_name",
        "serviceType", "treatment", "procedure", "appointment_type", "reason", "job_type",
        "service_interest", "cleanType", "type_of_cleaning", "Query_Type", "productType",
        "servicio", "Dienstleistung", "service_id",
    ] {
        let custom = json!({"booked": true, name: "Cut", "start": "2026-12-02 15:00"});
        assert_eq!(booking(&analyzed(&custom)).service_name, "Cut", "{name}");
    }
    let at = |custom: &Value| {
        let mut custom = custom.clone();
        custom["booked"] = json!(true);
        custom["service"] = json!("Cut");
        assert_eq!(
            booking(&analyzed(&custom)).appointment_date_time.to_rfc3339(),
            "2026-12-02T15:00:00+00:00",
            "{custom}"
        );
    };
    for name in [
        "appointment_date", "appointment date", "date", "preferred_date", "requested_date",
        "datum", "inspection_date", "booked_date",
    ] {
        at(&json!({name: "2.12.2026", "time": "3 PM"}));
    }
    for name in [
        "appointment_time", "time", "preferred_time", "requested_time", "uhrzeit",
        "inspection_time", "booked_time",
    ] {
        at(&json!({name: "15:00:00", "date": "02/12/2026"}));
        at(&json!({name: "Wednesday, 2 December 2026, 3:00 PM"}));
    }
    for name in [
        "date_time", "dateTime", "date and time", "appointment_timestamp", "appointment_datetime",
        "ai_call_booking_time", "booking_time", "chosen_slot", "scheduled_for", "start",
        "bookingDateTime",
    ] {
        at(&json!({name: "2026-12-02T15:00"}));
    }
    for flag in [
        "appointment_booked", "booked", "booking_confirmed", "confirmed", "booking_successful",
        "booking_success", "appointment_set", "appointment_confirmed", "service_case_created",
        "Appointment Booked?",
    ] {
        let custom = json!({flag: "yes", "service": "Cut", "start": "2026-12-02 15:00"});
        booking(&analyzed(&custom));
    }
}

#[test]
fn a_window_or_a_wish_is_no_time() {
    let when = |custom: Value| {
        let mut custom = custom;
        custom["booked"] = json!(true);
        custom["service"] = json!("Cut");
        codes(&analyzed(&custom))
    };
    assert_eq!(when(json!({"appointment_time": "9 AM to 11 AM"})), ["start_unreadable"]);
    assert_eq!(when(json!({"appointment_time": "Thu 9 Oct, 4:00 PM"})), ["start_unreadable"]);
    let window =
        json!({"date": "2026-12-02", "window_start_time": "09:00", "window_end_time": "11:00"});
    assert_eq!(when(window), ["start_missing"]);
    assert_eq!(when(json!({"date": "2026-12-02", "time": "afternoon"})), ["start_unreadable"]);
    assert_eq!(when(json!({"date": "heute", "time": "15:00"})), ["start_unreadable"]);
    // Day and clock without a word that anything was booked.
    let wished = json!({"service": "Cut", "date": "2026-12-02", "time": "15:00"});
    assert_eq!(codes(&analyzed(&wished)), ["booked_unclear"]);
}

#[test]
fn a_time_that_the_clocks_make_doubtful_waits_for_a_person() {
    let when = |text: &str| codes(&booked_with("date_time", text));
    assert_eq!(when("2027-03-28T01:30:00"), ["start_in_dst_gap"]);
    assert_eq!(when("2026-10-25 01:30"), ["start_in_dst_overlap"]);
    assert_eq!(when("03/12/26 15:00"), ["start_unreadable"]);
    assert_eq!(when("12/25/2026 15:00"), ["start_unreadable"]);
    let at = |text: &str| booking(&booked_with("date_time", text)).appointment_date_time;
    let summer = at("2026-07-02T15:00:00");
    assert_eq!(summer.to_rfc3339(), "2026-07-02T14:00:00+00:00");
    for text in ["2026-07-02T14:00:00Z", "2026-07-02T10:00:00-04:00", "1783000800", "1783000800000"]
    {
        assert_eq!(at(text), summer, "{text}");
    }
}

#[test]
fn a_day_in_a_word_counts_from_the_day_of_the_call() {
    let told = |word: &str, call: &Value| {
        let mut body = booked_with("date_time", word);
        for (name, value) in call.as_object().unwrap() {
            body["call"][name] = value.clone();
        }
        match read(&body).as_slice() {
            [Mapped::Booking(telling)] => telling.data.appointment_date_time.to_rfc3339(),
            _ => codes(&body).concat(),
        }
    };
    let plain = json!({"end_timestamp": BEGAN + 300_000});
    assert_eq!(told("today at 5pm", &plain), "2026-03-09T17:00:00+00:00");
    assert_eq!(told("tomorrow 10:30", &plain), "2026-03-10T10:30:00+00:00");
    assert_eq!(told("Friday at 3 PM", &plain), "2026-03-13T15:00:00+00:00");
    // It is Monday: today or in a week.
    for word in ["monday 3pm", "next friday at 10", "tomorrow", "tonight at 8pm", "friday at 3"] {
        assert!(told(word, &plain).starts_with("start_"), "{word}");
    }
    // Of a call over midnight nobody knows when in it the word fell, nor of one without a time.
    let late = 1_773_100_740_000_i64;
    let one = json!({"start_timestamp": late, "end_timestamp": late + 59_000});
    assert_eq!(told("tomorrow 10:30", &one), "2026-03-10T10:30:00+00:00");
    let over = json!({"start_timestamp": late, "end_timestamp": late + 61_000});
    assert_eq!(told("tomorrow 10:30", &over), "start_unreadable");
    assert_eq!(told("2026-03-11 10:30", &over), "2026-03-11T10:30:00+00:00");
    assert_eq!(told("tomorrow 10:30", &json!({"start_timestamp": null})), "start_unreadable");
}

#[test]
fn a_price_is_read_in_its_currency_or_not_at_all() {
    let price = |text: &str| booking(&booked_with("price", text)).price.unwrap();
    for (text, minor, code) in [
        ("75", 7500, "EUR"),
        ("0", 0, "EUR"),
        ("€42,50", 4250, "EUR"),
        ("$340.00", 34000, "USD"),
        ("£38.50", 3850, "GBP"),
        ("¥1500", 1500, "JPY"),
        ("KWD 4.250", 4250, "KWD"),
    ] {
        let read = price(text);
        assert_eq!((read.minor, read.currency.as_str()), (minor, code), "{text}");
    }
    assert_eq!(booking(&booked(&arguments())).price, None, "absent is not zero");
    for (text, code) in [
        ("75.005", "amount_too_precise"),
        ("¥1500.5", "amount_too_precise"),
        ("KWD 4.2505", "amount_too_precise"),
        ("-5", "amount_negative"),
        ("about 75", "amount_unreadable"),
        ("seventy five", "amount_unreadable"),
    ] {
        assert_eq!(codes(&booked_with("price", text)), [code], "{text}");
    }
    let mut two = arguments();
    (two["price"], two["currency"]) = (json!("€75"), json!("GBP"));
    assert_eq!(codes(&booked(&two)), ["currency_conflict"]);
}
