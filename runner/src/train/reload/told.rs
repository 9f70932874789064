//! What rank 0 follows, told to all ranks.

use super::{At, Follow, Offer, Prepared, prepared_from};
use crate::ranks::Ranks;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Follows what rank 0 follows: all ranks get the same offers at the same places.
pub struct Told<'a> {
    /// All of them.
    pub ranks: Ranks,
    /// What rank 0 follows.
    pub own: Box<dyn Follow + 'a>,
    /// The spec's file.
    pub spec: PathBuf,
    /// Values in place of the spec's.
    pub sets: Vec<String>,
}

/// An offer on its way.
#[derive(Serialize, Deserialize)]
enum Word {
    Nothing,
    /// The text, and the contents of its plugins: hashes.
    Spec(String, Vec<String>),
    Wrong(String),
    Gone(String),
}

impl Follow for Told<'_> {
    fn latest(&mut self, at: At) -> Option<Offer> {
        let mut offer = self.ranks.is_first().then(|| self.own.latest(at)).flatten();
        // A fault comes up again at the next meeting.
        let word = self.ranks.tell(|| word(offer.as_ref())).ok()?;
        if self.ranks.is_first() {
            return offer.take();
        }
        match word {
            Word::Nothing => None,
            Word::Wrong(reason) => Some(Offer::Wrong(reason)),
            Word::Gone(why) => Some(Offer::Gone(why)),
            Word::Spec(text, plugins) => match prepared_from(&self.spec, &text, &self.sets) {
                Ok(prepared) if contents(&prepared) == plugins => Some(Offer::Spec(Box::new(prepared))),
                Ok(_) => self.cannot("its plugins are not those that rank 0 has"),
                Err(error) => self.cannot(&error.render(false)),
            },
        }
    }
}

impl Told<'_> {
    /// Rank 0 takes up what this one cannot.
    fn cannot(&self, why: &str) -> Option<Offer> {
        self.ranks.fail(&format!("the spec that was saved cannot be taken up here: {why}"));
        None
    }
}

fn word(offer: Option<&Offer>) -> Word {
    match offer {
        None => Word::Nothing,
        Some(Offer::Spec(prepared)) => Word::Spec(prepared.loaded.text.clone(), contents(prepared)),
        Some(Offer::Wrong(reason)) => Word::Wrong(reason.clone()),
        Some(Offer::Gone(why)) => Word::Gone(why.clone()),
    }
}

fn contents(prepared: &Prepared) -> Vec<String> {
    prepared.plan.plugins.iter().map(|plugin| plugin.sha256.clone()).collect()
}
