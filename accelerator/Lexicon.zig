//! `Lexicon` of chalicelib/classifier/lexicon.py: finds terms in a text's tokens.

const std = @import("std");
const Input = @import("Input.zig");
const Output = @import("Output.zig");
const Error = Output.Error;
const Lexicon = @This();

const most_words = 8; // of a term
const most_kinds = 4; // that a term speaks for
const most_looked_up = 256; // terms by one token
const most_together = 12; // terms that stand in one place
pub const most_matches = 64; // in a text
pub const most_terms = 1 << 13;

terms: []const Term,
whole: Index,
begin: Index,
end: Index,
parts: []const Part,
shortest: usize,
longest: usize,
begins: Pairs, // first two bytes of what `begin` has
ends: Pairs, // last two bytes of what `end` has
name: u32, // weight of a term that names a kind
unspecified: u8, // the kind that no term names

const Index = std.StringHashMapUnmanaged([]const u16);
const Pairs = std.bit_set.StaticBitSet(1 << 16);

const Part = struct { text: []const u8, terms: []const u16 };

pub const Term = struct {
    words: []const Word,
    anchor: u8, // the word it is looked up by
    beside: Beside, // by which other word, too
    weights: []const Weight,
};

const Word = struct { text: []const u8, open: Open };
const Open = enum(u8) { no, at_end, at_start, both };
const Beside = enum(u8) { none, before, after };
pub const Weight = struct { kind: u8, weight: u32 };

/// Terms that stand in one place, and what they say.
pub const Match = struct {
    start: usize,
    stop: usize, // in tokens
    terms: [most_together]u16 = undefined,
    count: usize = 0,
    evidence: Evidence = .{},
    named: ?u8 = null,

    fn add(match: *Match, lexicon: *const Lexicon, term: u16) Error!void {
        if (match.count == most_together) return error.Unusual;
        match.terms[match.count] = term;
        match.count += 1;
        try match.evidence.raise(&lexicon.terms[term]);
    }

    fn judge(match: *Match, lexicon: *const Lexicon) void {
        match.named = null;
        var most: u32 = 0;
        for (match.evidence.list()) |each| {
            if (each.kind == lexicon.unspecified or each.weight <= most) continue;
            most = each.weight;
            match.named = if (most >= lexicon.name) each.kind else null;
        }
    }

    pub fn figurative(match: *const Match) bool {
        return match.evidence.count == 0;
    }
};

/// Weights by kind, in the order in which they were met.
pub const Evidence = struct {
    weights: [16]Weight = undefined,
    count: usize = 0,
    figurative: bool = false,

    pub fn list(evidence: *const Evidence) []const Weight {
        return evidence.weights[0..evidence.count];
    }

    pub fn of(evidence: *const Evidence, kind: u8) ?u32 {
        for (evidence.list()) |each| if (each.kind == kind) return each.weight;
        return null;
    }

    /// The greatest weight of each kind counts.
    pub fn raise(evidence: *Evidence, term: *const Term) Error!void {
        if (term.weights.len == 0) evidence.figurative = true;
        for (term.weights) |each| {
            const weight = try evidence.entry(each.kind);
            weight.* = @max(weight.*, each.weight);
        }
    }

    pub fn add(evidence: *Evidence, more: *const Evidence) Error!void {
        for (more.list()) |each| {
            const weight = try evidence.entry(each.kind);
            weight.* += each.weight;
        }
    }

    fn entry(evidence: *Evidence, kind: u8) Error!*u32 {
        for (evidence.weights[0..evidence.count]) |*each| if (each.kind == kind) return &each.weight;
        if (evidence.count == evidence.weights.len) return error.Unusual;
        evidence.weights[evidence.count] = .{ .kind = kind, .weight = 0 };
        evidence.count += 1;
        return &evidence.weights[evidence.count - 1].weight;
    }
};

pub const Matches = struct {
    items: [most_matches]Match = undefined,
    count: usize = 0,
    looked_up: [most_looked_up]u16 = undefined, // room to work in

    pub fn list(matches: *Matches) []Match {
        return matches.items[0..matches.count];
    }

    fn append(matches: *Matches, match: Match) Error!*Match {
        if (matches.count == most_matches) return error.Unusual;
        matches.items[matches.count] = match;
        matches.count += 1;
        return &matches.items[matches.count - 1];
    }
};

pub fn init(lexicon: *Lexicon, input: *Input, allocator: std.mem.Allocator) !void {
    lexicon.name = try input.int(u32);
    lexicon.unspecified = try input.int(u8);
    lexicon.shortest = try input.int(u8);
    lexicon.longest = try input.int(u8);
    if (lexicon.shortest < 2) return error.Malformed;
    const terms = try allocator.alloc(Term, try input.int(u16));
    if (terms.len > most_terms) return error.Malformed;
    for (terms) |*term| {
        const words = try allocator.alloc(Word, try input.int(u8));
        for (words) |*word| {
            word.open = std.enums.fromInt(Open, try input.int(u8)) orelse return error.Malformed;
            word.text = try input.bytes(u8);
        }
        const anchor = try input.int(u8);
        const beside = std.enums.fromInt(Beside, try input.int(u8)) orelse return error.Malformed;
        const weights = try allocator.alloc(Weight, try input.int(u8));
        for (weights) |*each| each.* = .{ .kind = try input.int(u8), .weight = try input.int(u8) };
        const right = anchor < words.len and words.len <= most_words and switch (beside) {
            .none => true,
            .before => anchor > 0,
            .after => anchor + 1 < words.len,
        };
        if (!right or weights.len > most_kinds) return error.Malformed;
        term.* = .{ .words = words, .anchor = anchor, .beside = beside, .weights = weights };
    }
    lexicon.terms = terms;
    lexicon.begins = .empty;
    lexicon.ends = .empty;
    for ([_]*Index{ &lexicon.whole, &lexicon.begin, &lexicon.end }) |index| {
        index.* = .empty;
        for (0..try input.int(u16)) |_| {
            const text = try input.bytes(u8);
            try index.put(allocator, text, try listOfTerms(lexicon, input, allocator));
            if (index == &lexicon.whole or text.len < lexicon.shortest) continue;
            if (index == &lexicon.begin) lexicon.begins.set(pair(text)) else lexicon.ends.set(pair(text[text.len - 2 ..]));
        }
    }
    const parts = try allocator.alloc(Part, try input.int(u8));
    for (parts) |*part| part.* = .{ .text = try input.bytes(u8), .terms = try listOfTerms(lexicon, input, allocator) };
    lexicon.parts = parts;
}

fn listOfTerms(lexicon: *const Lexicon, input: *Input, allocator: std.mem.Allocator) ![]const u16 {
    const found = try allocator.alloc(u16, try input.int(u16));
    for (found) |*term| {
        term.* = try input.int(u16);
        if (term.* >= lexicon.terms.len) return error.Malformed;
    }
    return found;
}

fn pair(text: []const u8) usize {
    return @as(usize, text[0]) << 8 | text[1];
}

/// `_look_up`: the terms that are looked up by a token.
pub fn lookUp(lexicon: *const Lexicon, token: []const u8, found: *[most_looked_up]u16) Error![]const u16 {
    var count: usize = 0;
    var whole = false; // whether the token is a term as a whole
    for (lexicon.whole.get(token) orelse &.{}) |term| {
        whole = whole or lexicon.terms[term].words.len == 1;
        try put(found, &count, term);
    }
    const longest = @min(token.len, lexicon.longest);
    if (token.len >= lexicon.shortest and lexicon.begins.isSet(pair(token))) {
        for (lexicon.shortest..longest + 1) |length| {
            try lexicon.putAll(found, &count, whole, lexicon.begin.get(token[0..length]));
        }
    }
    if (token.len >= lexicon.shortest and lexicon.ends.isSet(pair(token[token.len - 2 ..]))) {
        var length = longest;
        while (length >= lexicon.shortest) : (length -= 1) {
            try lexicon.putAll(found, &count, whole, lexicon.end.get(token[token.len - length ..]));
        }
    }
    for (lexicon.parts) |part| {
        if (std.mem.find(u8, token, part.text) != null) try lexicon.putAll(found, &count, whole, part.terms);
    }
    return found[0..count];
}

fn putAll(lexicon: *const Lexicon, found: *[most_looked_up]u16, count: *usize, whole: bool, terms: ?[]const u16) Error!void {
    for (terms orelse return) |term| {
        if (!whole or lexicon.terms[term].words.len > 1) try put(found, count, term);
    }
}

fn put(found: *[most_looked_up]u16, count: *usize, term: u16) Error!void {
    if (count.* == most_looked_up) return error.Unusual;
    found[count.*] = term;
    count.* += 1;
}

/// `find_met`: what stands in the tokens, in order. `places` are the tokens that any term is looked up by.
pub fn find(lexicon: *const Lexicon, tokens: []const []const u8, places: []const usize, words: *Matches, phrases: *Matches) Error!void {
    words.count = 0;
    phrases.count = 0;
    for (places) |at| {
        const looked_up = try lexicon.lookUp(tokens[at], &words.looked_up);
        var word: ?*Match = null;
        for (looked_up) |term| {
            if (lexicon.terms[term].words.len > 1) continue;
            if (word == null) word = try words.append(.{ .start = at, .stop = at + 1 });
            try word.?.add(lexicon, term);
        }
        if (word) |match| match.judge(lexicon);
        for ([_]Beside{ .none, .before, .after }) |beside| {
            for (looked_up) |index| {
                const term = &lexicon.terms[index];
                if (term.words.len == 1 or term.beside != beside or !stands(term, tokens, at)) continue;
                const start = at - term.anchor;
                const match = try phrases.append(.{ .start = start, .stop = start + term.words.len });
                try match.add(lexicon, index);
                match.judge(lexicon);
            }
        }
    }
    if (phrases.count > 0) try lexicon.overrule(words, phrases);
}

fn stands(term: *const Term, tokens: []const []const u8, at: usize) bool {
    if (at < term.anchor or at - term.anchor + term.words.len > tokens.len) return false;
    for (term.words, tokens[at - term.anchor ..][0..term.words.len]) |word, token| {
        const fits = switch (word.open) {
            .no => std.mem.eql(u8, token, word.text),
            .at_end => std.mem.startsWith(u8, token, word.text),
            .at_start => std.mem.endsWith(u8, token, word.text),
            .both => std.mem.find(u8, token, word.text) != null,
        };
        if (!fits) return false;
    }
    return true;
}

/// `_overrule`: phrases in place of the words in them, in `words`.
fn overrule(lexicon: *const Lexicon, words: *Matches, phrases: *Matches) Error!void {
    std.sort.insertion(Match, phrases.list(), {}, firstAndLongest);
    var kept: usize = 0;
    for (phrases.list()) |phrase| {
        const last = if (kept > 0) &phrases.items[kept - 1] else null;
        if (last == null or phrase.start >= last.?.stop) {
            phrases.items[kept] = phrase;
            kept += 1;
        } else if (phrase.start == last.?.start and phrase.stop == last.?.stop) {
            for (phrase.terms[0..phrase.count]) |term| try last.?.add(lexicon, term);
            last.?.judge(lexicon);
        }
    }
    phrases.count = kept;
    var left: usize = 0;
    for (words.list()) |word| {
        const inside = for (phrases.list()) |phrase| {
            if (phrase.start <= word.start and word.start < phrase.stop) break true;
        } else false;
        if (inside) continue;
        words.items[left] = word;
        left += 1;
    }
    words.count = left;
    for (phrases.list()) |phrase| _ = try words.append(phrase);
    std.sort.insertion(Match, words.list(), {}, firstAndLongest); // none starts where another does
}

fn firstAndLongest(_: void, one: Match, other: Match) bool {
    return one.start < other.start or (one.start == other.start and one.stop > other.stop);
}
