//! Whose identities are whose: which phones and WhatsApp ids are one person.

use crate::domain::person::Identity;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A person, known or new.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// The client that the database has for them.
    pub client: Option<Uuid>,
    /// Every identity, current and former.
    pub identities: Vec<Identity>,
    /// Those of them that the database doesn't have yet.
    pub fresh: Vec<Identity>,
}

impl Person {
    fn has_kind(&self, identity: &Identity) -> bool {
        self.identities.iter().any(|i| i.kind() == identity.kind())
    }
}

/// The people of a set of tellings.
#[derive(Clone, Debug, Default)]
pub struct People {
    list: Vec<Person>,
    by_identity: BTreeMap<Identity, usize>,
}

impl People {
    /// Adds a client with the identities by which it is found.
    pub fn know(&mut self, client: Uuid, identities: Vec<Identity>) {
        let known = self.list.iter().position(|person| person.client == Some(client));
        let place = known.unwrap_or(self.list.len());
        if known.is_none() {
            self.list.push(Person { client: Some(client), ..Person::default() });
        }
        let Some(person) = self.list.get_mut(place) else { return };
        for identity in identities {
            if !person.identities.contains(&identity) {
                self.by_identity.insert(identity.clone(), place);
                person.identities.push(identity);
            }
        }
    }

    /// The person of one telling's identities, the phone first: known, or new from now on.
    ///
    /// A WhatsApp id that comes with a phone becomes the phone's, and a phone that comes with an
    /// id becomes the id's, when neither has another of the kind. When they are two people's, the
    /// telling is the phone's, and nobody's identity moves.
    ///
    /// A client whom a person named and who is gone since is nobody.
    pub fn meet(&mut self, identities: &[Identity]) -> Option<u32> {
        let gone =
            |i: &&Identity| matches!(i, Identity::Client(_)) && !self.by_identity.contains_key(i);
        let identities: Vec<Identity> = identities.iter().filter(|i| !gone(i)).cloned().collect();
        let known = identities.iter().find_map(|i| self.by_identity.get(i).copied());
        let first = identities.first()?;
        let place = match (self.by_identity.get(first), known) {
            (Some(place), _) => *place,
            (None, Some(place)) if !self.has_kind(place, first) => place,
            (None, _) => {
                self.list.push(Person::default());
                self.list.len() - 1
            }
        };
        for identity in &identities {
            let free = !self.by_identity.contains_key(identity);
            if free && !self.has_kind(place, identity) {
                self.give(place, identity);
            }
        }
        u32::try_from(place).ok()
    }

    /// The two clients that a telling proves to be one person: its phone's, which has no WhatsApp
    /// id, and its WhatsApp id's, which has no phone. They are one person here from then on;
    /// answers which client goes and which stays.
    pub fn join(&mut self, identities: &[Identity]) -> Option<(Uuid, Uuid)> {
        let (phone, whatsapp) = (identities.first()?, identities.get(1)?);
        let (to, from) = (*self.by_identity.get(phone)?, *self.by_identity.get(whatsapp)?);
        let conflict = to == from || self.has_kind(to, whatsapp) || self.has_kind(from, phone);
        let (stays, gone) = (self.list.get(to)?.client?, self.list.get(from)?.client?);
        if conflict || phone.kind() == whatsapp.kind() {
            return None;
        }
        let moved = std::mem::take(self.list.get_mut(from)?).identities;
        self.by_identity.extend(moved.iter().map(|identity| (identity.clone(), to)));
        self.list.get_mut(to)?.identities.extend(moved);
        Some((gone, stays))
    }

    /// Whose the phone and the WhatsApp id of one telling are, where that is not one person; one
    /// of them may be nobody's.
    #[must_use]
    pub fn clash(&self, identities: &[Identity]) -> Option<[(Identity, Option<u32>); 2]> {
        let [phone, whatsapp] = identities else { return None };
        let place = |identity| self.by_identity.get(identity).and_then(|n| u32::try_from(*n).ok());
        let (one, other) = (place(phone), place(whatsapp));
        (one != other).then(|| [(phone.clone(), one), (whatsapp.clone(), other)])
    }

    /// Everybody who got an identity that the database doesn't have yet, by number.
    pub fn fresh(&self) -> impl Iterator<Item = (u32, &Person)> {
        let numbered = self.list.iter().enumerate();
        let fresh = numbered.filter(|(_, person)| !person.fresh.is_empty());
        fresh.filter_map(|(number, person)| Some((u32::try_from(number).ok()?, person)))
    }

    /// The known clients that a telling gave a further identity.
    pub fn gained(&self) -> impl Iterator<Item = (Uuid, &Person)> {
        let gained = self.list.iter().filter(|person| !person.fresh.is_empty());
        gained.filter_map(|person| Some((person.client?, person)))
    }

    fn has_kind(&self, place: usize, identity: &Identity) -> bool {
        self.list.get(place).is_some_and(|person| person.has_kind(identity))
    }

    fn give(&mut self, place: usize, identity: &Identity) {
        if let Some(person) = self.list.get_mut(place) {
            person.identities.push(identity.clone());
            person.fresh.push(identity.clone());
            self.by_identity.insert(identity.clone(), place);
        }
    }

    /// The person of a number that [`People::meet`] answered.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&Person> {
        usize::try_from(number).ok().and_then(|place| self.list.get(place))
    }

    /// Who has this identity.
    #[must_use]
    pub fn with(&self, identity: &Identity) -> Option<&Person> {
        self.by_identity.get(identity).and_then(|place| self.list.get(*place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::person::WhatsAppId;
    use crate::domain::phone::Phone;

    fn phone(number: &str) -> Identity {
        Identity::Phone(Phone::from_stored(number.to_owned()))
    }

    fn whatsapp(id: &str) -> Identity {
        Identity::WhatsApp(WhatsAppId::parse(id).unwrap())
    }

    #[test]
    fn an_id_that_comes_with_a_phone_is_the_phones_from_then_on() {
        let mut people = People::default();
        let both = people.meet(&[phone("+353871234567"), whatsapp("IE.1")]);
        assert_eq!(people.meet(&[whatsapp("IE.1")]), both);
        assert_eq!(people.meet(&[phone("+353871234567")]), both);
    }

    #[test]
    fn two_peoples_identities_do_not_make_them_one() {
        let mut people = People::default();
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        people.know(one, vec![phone("+353871234567")]);
        people.know(two, vec![whatsapp("IE.1")]);
        let met = people.meet(&[phone("+353871234567"), whatsapp("IE.1")]).unwrap();
        assert_eq!(people.get(met).unwrap().client, Some(one));
        assert_eq!(people.with(&whatsapp("IE.1")).unwrap().client, Some(two));
        assert!(people.get(met).unwrap().fresh.is_empty());
    }

    #[test]
    fn a_phone_is_not_given_to_an_id_that_has_another() {
        let mut people = People::default();
        people.know(Uuid::from_u128(1), vec![phone("+353871234567"), whatsapp("IE.1")]);
        let other = people.meet(&[phone("+353861234567"), whatsapp("IE.1")]).unwrap();
        assert_eq!(people.get(other).unwrap().client, None);
        assert_eq!(people.get(other).unwrap().identities, [phone("+353861234567")]);
    }
}
