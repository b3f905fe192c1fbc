// SPDX-License-Identifier: MPL-2.0

//! Words and phrases by which `requests` tells requests from other sentences.

use crate::rules::words::Word;

/// Words at the start of a clause that do not change what it is.
pub const FILLERS: &str = "a actually ah alright also an and but er finally first hello hey hi instead just kindly now oh \
    ok okay or please quickly rather right so sure the then uh um well yeah yes";
/// Words with which a question begins.
pub const QUESTIONS: &str = "what what's whats which who who's whose where where's when when's why how how's is are am was \
    were do does did has have had can could will would should may might must shall whether";
/// Subjects with which a statement begins.
pub const SUBJECTS: &str = "i i'm i've i'd i'll you you're you've you'll he he's she she's it it's we we're we've we'll they \
    they're there there's this that that's these those someone somebody everyone everybody people my his her our their \
    your";
/// Verbs that make a statement of what stands before them.
pub const FINITE: &str = "is are am has have does do will would can could should must might may shall seems wants likes \
    needs says tells thinks asks knows gets makes";
/// Words of the past.
pub const PAST: &str = "was were did had been ago yesterday previously formerly";
/// Past forms that do not end in "ed".
pub const IRREGULAR: &str = "sent told said gave went made paid bought sold took wrote heard thought came saw left kept knew \
    spent lent shut ran drove spoke threw began done";
/// When something was.
pub const LAST: &str = "last time|last night|last week|last weekend|last month|last year|last summer|last winter|\
    last spring|last autumn";
/// Participles that name something.
pub const NAMED: &str = "called named titled entitled labelled labeled related used";
/// Verbs of orders. Another form of them does not order anything.
pub const VERBS: &str = "add ask block book buy call cancel change check clear close connect create decrease delete dim \
    disable display drive enable end erase execute find get give go hang increase invite launch list lock lower make \
    move mute open order pause pay play post publish raise read reboot record remember remind remove reserve reset \
    restart run save say schedule search sell send set show shut start stop submit switch take tell text transfer \
    translate turn unlock unmute update wake wire write";
/// Verbs whose object is text: what stands behind them in their clause is not about the function.
pub const TELLING: &str = "ask note remember remind say search tell text translate write google";
/// Verbs before an indirect question: "tell me whether …".
pub const ASKING: &str = "ask check describe explain find know look me out see show tell us wonder";
/// Words and phrases that make all of their sentence conditional.
pub const CONDITIONS: &str = "if|unless|whenever|until|provided|assuming|supposing|suppose|imagine|otherwise|in case|\
    soon as|long as";
/// Words that do so before a subject.
pub const TIMES: &str = "when once after before while till";
/// What takes back everything before it, when nothing else is said in its clause but words beside a retraction.
pub const RETRACTIONS: &str = "no|don't|do not|never mind|nevermind|forget it|forget that|cancel that|cancel it|\
    scratch that|stop it|stop that|leave it";
/// The words of retractions and beside them.
pub const RETRACTING: &str = "no don't do not never mind nevermind forget it that cancel scratch stop leave wait sorry \
    please actually oh this so and but hold on";
/// Requests in the form of a question or a statement.
pub const POLITE: &str = "can you|could you|will you|would you|can we|could we|i want|i need|i would like|i'd like|i wish|\
    we want|we need|we would like|we'd like|let's|let us|go ahead|make sure|be sure|i was wondering if you could|\
    i wonder if you could|don't forget|do not forget";
/// Verbs that end what goes on: "stop playing".
pub const STOPPING: &str = "stop quit cease end";

/// The words between punctuation or conjunctions.
pub fn clauses<'a, 'w>(words: &'a [Word<'w>]) -> impl Iterator<Item = &'a [Word<'w>]> {
    words.chunk_by(|before, word| before.sign.is_none() && !word.is_any("and then also but"))
}
