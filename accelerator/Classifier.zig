//! `Model` of chalicelib/classifier/bundled.py: kind and relevance of a cleaned text.

const std = @import("std");
const clean = @import("clean.zig");
const Characters = @import("Characters.zig");
const Information = @import("Information.zig");
const Input = @import("Input.zig");
const Lexicon = @import("Lexicon.zig");
const Output = @import("Output.zig");
const Lines = @import("words.zig").Lines;
const Words = @import("words.zig").Words;
const hashOf = @import("words.zig").hashOf;
const Error = Output.Error;
const Classifier = @This();

const most_tokens = 1 << 12; // of a text
const most_kinds = 32;
const buckets = 1 << 17; // of parts of words

known: Words(Known), // tokens
characters: Characters,
lexicon: Lexicon,
information: Information,
of_parts: []const u8, // a signed byte a bucket
parts_scale: i64,
unknown: u32, // norm of a token that the model doesn't know
longest_word: usize, // a longer token has no parts
scale: f64,
bias: f64,
slope: f64,
of_most: f64,
of_second: f64,
named: f64, // relevance from which a name tells the kind
hinted: f64, // and hints do
of_evidence: struct { named: f64, much: f64, any: f64, figurative: f64, nothing: f64 },
kinds: []const Kind,
of_none: f64, // constant where no kind is foremost
preferred: std.bit_set.StaticBitSet(most_kinds * most_kinds),
labels: [most_kinds + 1][]const u8, // the kinds, then that of no disaster
not_disaster: u32,
most_weight: u32,
most_keywords: usize,
context: usize, // words either side of a keyword
most_characters: usize,

const Known = struct { anchored: Anchored, weight: i16, norm: u16 };

/// Whether the lexicon knows a token.
const Anchored = enum(u8) { unasked, no, yes };

const Kind = struct { code: []const u8, of_relevance: f64, constant: f64 };

/// What a token adds up to.
const Row = struct { weight: i32, norm: u32 };

/// `told` of a relevant text.
pub const Verdict = struct { label: u32, score: f64, relevant: f64, told: ?Information.Told = null };

pub const Scratch = struct {
    lower: [1 << 16]u8,
    tokens: [most_tokens][]const u8,
    hashes: [most_tokens]u32,
    rows: [most_tokens]Row,
    places: [most_tokens]usize,
    count: usize, // of tokens
    matches: Lexicon.Matches,
    phrases: Lexicon.Matches,
    told: ?u8, // the kind
    tokens_met: Information.Met,
    met: [buckets]u32, // when a bucket was met last
    meeting: u32,
};

pub fn init(model: *Classifier, input: *Input, allocator: std.mem.Allocator) !void {
    inline for (.{ "scale", "bias", "slope", "of_most", "of_second", "named", "hinted" }) |name| {
        @field(model, name) = try input.float();
    }
    inline for (.{ "named", "much", "any", "figurative", "nothing" }) |name| {
        @field(model.of_evidence, name) = try input.float();
    }
    model.most_weight = try input.int(u32);
    model.most_keywords = try input.int(u32);
    model.context = try input.int(u32);
    model.most_characters = try input.int(u32);
    const kinds = try allocator.alloc(Kind, try input.int(u8));
    if (kinds.len > most_kinds) return error.Malformed;
    for (kinds) |*kind| {
        kind.* = .{ .code = try input.bytes(u8), .of_relevance = try input.float(), .constant = try input.float() };
    }
    model.kinds = kinds;
    model.of_none = try input.float();
    model.not_disaster = @intCast(kinds.len);
    model.labels = @splat("");
    for (kinds, model.labels[0..kinds.len]) |kind, *label| label.* = kind.code;
    model.labels[kinds.len] = try input.bytes(u8);
    model.preferred = .empty;
    for (0..try input.int(u16)) |_| model.preferred.set(@as(usize, try input.int(u8)) * most_kinds + try input.int(u8));
    try model.characters.init(input, allocator);
    try model.lexicon.init(input, allocator);
    for (model.lexicon.terms) |term| for (term.weights) |each| if (each.kind >= kinds.len) return error.Malformed;

    model.parts_scale = try input.int(i32);
    model.unknown = try input.int(u32);
    model.longest_word = try input.int(u32);
    const count = try input.int(u32);
    const names = try input.bytes(u32);
    var weights: Input = .{ .left = try input.take(2 * count) };
    var norms: Input = .{ .left = try input.take(2 * count) };
    model.of_parts = try input.take(buckets);
    model.known = try .init(count, names, allocator);
    var each: Lines = .of(names);
    for (0..count) |_| {
        const line = try each.next();
        try model.known.add(line.start, line.text.len, .{ .anchored = .unasked, .weight = try weights.int(i16), .norm = try norms.int(u16) });
    }
    model.information = try .init(input, allocator);
}

/// `_classify`. The keywords are left in `scratch`.
pub fn classify(model: *Classifier, text: []const Characters.Index, shift: f64, scratch: *Scratch) Error!Verdict {
    var verdict = try model.judged(text, shift, scratch);
    if (verdict.relevant >= 0.5) {
        verdict.told = model.information.tell(scratch.tokens[0..scratch.count], scratch.hashes[0..scratch.count], &scratch.tokens_met);
        try plain(verdict.told.?.probability);
    }
    return verdict;
}

/// `_judged`
fn judged(model: *Classifier, text: []const Characters.Index, shift: f64, scratch: *Scratch) Error!Verdict {
    const places = try model.read(text, scratch);
    const tokens = scratch.tokens[0..scratch.count];
    try model.lexicon.find(tokens, places, &scratch.matches, &scratch.phrases);
    const matches = scratch.matches.list();
    var evidence: Lexicon.Evidence = .{};
    try model.weigh(matches, &evidence);
    const judgement = try model.judge(&evidence);
    const relevant = logistic(model.slope * (model.logit(scratch) + judgement.logit) + shift);
    try plain(relevant);
    if (near(relevant, judgement.told) or near(relevant, 0.5)) return error.Unusual;
    scratch.told = if (relevant < judgement.told) null else judgement.kind;
    if (scratch.told) |kind| {
        const score = relevant * judgement.right;
        try plain(score);
        return .{ .label = kind, .score = score, .relevant = relevant };
    }
    if (relevant >= 0.5) return .{ .label = model.lexicon.unspecified, .score = relevant, .relevant = relevant };
    try plain(1 - relevant);
    return .{ .label = model.not_disaster, .score = 1 - relevant, .relevant = relevant };
}

/// Python's `exp` may differ in the last bit: what that bit could round otherwise, at the sixth digit, is Python's.
fn plain(probability: f64) Error!void {
    const millionths = probability * 1e6;
    if (near(millionths - @floor(millionths), 0.5)) return error.Unusual;
}

fn near(one: f64, other: f64) bool {
    return @abs(one - other) < 1e-8;
}

/// Splits the text into tokens with their rows; return where any term is looked up.
fn read(model: *Classifier, text: []const Characters.Index, scratch: *Scratch) Error![]const usize {
    var tokens: clean.Tokens = .{ .characters = &model.characters, .text = text, .lower = .{ .buffer = &scratch.lower } };
    var count: usize = 0;
    while (try tokens.next()) |token| : (count += 1) {
        if (count == most_tokens) return error.Unusual;
        scratch.tokens[count] = token;
        scratch.hashes[count] = hashOf(token);
        model.known.fetch(scratch.hashes[count]);
    }
    var anchored: usize = 0;
    for (scratch.tokens[0..count], scratch.hashes[0..count], scratch.rows[0..count], 0..) |token, hash, *row, at| {
        const known = model.known.findOf(hash, token);
        row.* = if (known) |word|
            .{ .weight = word.weight, .norm = word.norm }
        else
            .{ .weight = try model.weightOfParts(token, scratch), .norm = model.unknown };
        var is_anchored: Anchored = if (known) |word| word.anchored else .unasked;
        if (is_anchored == .unasked) {
            const terms = try model.lexicon.lookUp(token, &scratch.matches.looked_up);
            is_anchored = if (terms.len > 0) .yes else .no;
            if (known) |word| word.anchored = is_anchored;
        }
        if (is_anchored == .yes) {
            scratch.places[anchored] = at;
            anchored += 1;
        }
    }
    scratch.count = count;
    return scratch.places[0..anchored];
}

/// Of a token that the model doesn't know: from the parts it shares with words that the model knows.
fn weightOfParts(model: *const Classifier, token: []const u8, scratch: *Scratch) Error!i32 {
    var marked: [128]u8 = undefined;
    if (charactersIn(token) > model.longest_word) return 0;
    if (token.len + 2 > marked.len) return error.Unusual;
    marked[0] = '<';
    @memcpy(marked[1..][0..token.len], token);
    marked[token.len + 1] = '>';
    const whole = marked[0 .. token.len + 2];
    scratch.meeting +%= 1;
    if (scratch.meeting == 0) { // once in four billion
        scratch.met = @splat(0);
        scratch.meeting = 1;
    }
    var sum: i64 = 0;
    var count: u32 = 0;
    for (3..6) |length| {
        for (0..whole.len + 1 -| length) |at| {
            const bucket = std.hash.Crc32.hash(whole[at..][0..length]) % buckets;
            if (scratch.met[bucket] == scratch.meeting) continue;
            scratch.met[bucket] = scratch.meeting;
            sum += @as(i8, @bitCast(model.of_parts[bucket]));
            count += 1;
        }
    }
    if (count == 0) return 0;
    const weight = @as(f64, @floatFromInt(sum * model.parts_scale)) / @sqrt(@as(f64, @floatFromInt(count)));
    return @intFromFloat(roundHalfEven(weight));
}

fn charactersIn(text: []const u8) usize {
    var count: usize = 0;
    for (text) |byte| count += @intFromBool(byte & 0xc0 != 0x80);
    return count;
}

fn roundHalfEven(x: f64) f64 {
    const below = @floor(x);
    const up = x - below > 0.5 or (x - below == 0.5 and @mod(below, 2) == 1);
    return if (up) below + 1 else below;
}

/// `_logit`: of relevance, from the tokens that are in no figure of speech.
fn logit(model: *const Classifier, scratch: *Scratch) f64 {
    var weight: i64 = 0;
    var norm: i64 = 0;
    var at: usize = 0;
    for (scratch.matches.list()) |match| {
        if (!match.figurative()) continue;
        addRows(scratch.rows[at..@max(at, match.start)], &weight, &norm);
        at = match.stop;
    }
    addRows(scratch.rows[at..scratch.count], &weight, &norm);
    if (norm == 0) return model.bias;
    return model.bias + @as(f64, @floatFromInt(weight)) * model.scale / @sqrt(@as(f64, @floatFromInt(norm)));
}

fn addRows(rows: []const Row, weight: *i64, norm: *i64) void {
    for (rows) |row| {
        weight.* += row.weight;
        norm.* += row.norm;
    }
}

/// `weigh`: the sum of what terms say, each counted once.
fn weigh(model: *const Classifier, matches: []const Lexicon.Match, sum: *Lexicon.Evidence) Error!void {
    var seen: std.bit_set.StaticBitSet(Lexicon.most_terms) = .empty;
    for (matches) |*match| {
        sum.figurative = sum.figurative or match.evidence.figurative;
        var own: Lexicon.Evidence = .{};
        for (match.terms[0..match.count]) |term| {
            if (!seen.isSet(term)) try own.raise(&model.lexicon.terms[term]);
        }
        for (match.terms[0..match.count]) |term| seen.set(term);
        try sum.add(&own);
    }
}

const Judgement = struct { logit: f64, kind: ?u8, told: f64, right: f64 };

/// `_judge`
fn judge(model: *const Classifier, evidence: *const Lexicon.Evidence) Error!Judgement {
    var kind: ?u8 = null;
    var most: u32 = 0;
    var second: u32 = 0;
    var total: u32 = 0;
    var sum: f64 = 0;
    for (evidence.list()) |each| {
        sum += model.kinds[each.kind].of_relevance * model.capped(each.weight);
        if (each.kind == model.lexicon.unspecified) continue;
        total += each.weight;
        const wins = if (kind) |other| model.preferred.isSet(@as(usize, each.kind) * most_kinds + other) else false;
        if (each.weight > most or (each.weight == most and wins)) {
            kind = each.kind;
            second = most;
            most = each.weight;
        } else if (each.weight > second) {
            second = each.weight;
        }
    }
    const of = model.of_evidence;
    if (evidence.count == 0) sum += of.nothing;
    if (total > 0) {
        const named = if (most >= model.lexicon.name) of.named else 0.0;
        const much = if (total > model.lexicon.name + 2) of.much else 0.0;
        sum += of.any + named + much;
    }
    if (evidence.figurative) sum += of.figurative;
    const constant = if (kind) |foremost| model.kinds[foremost].constant else model.of_none;
    const right = logistic(constant + (model.of_most * model.capped(most) + model.of_second * model.capped(second)));
    const told = if (most >= model.lexicon.name) model.named else if (most > 0) model.hinted else std.math.inf(f64);
    return .{ .logit = sum, .kind = kind, .told = told, .right = right };
}

fn capped(model: *const Classifier, weight: u32) f64 {
    return @floatFromInt(@min(weight, model.most_weight));
}

fn logistic(x: f64) f64 {
    return if (x > -700) 1 / (1 + @exp(-x)) else 0.0;
}

/// `_keywords` of the text that was classified last, as the items of a JSON list.
pub fn keywords(model: *const Classifier, scratch: *Scratch, literal: *const [5][]const u8, out: *Output) Error!void {
    const tokens = scratch.tokens[0..scratch.count];
    var count: usize = 0;
    for (scratch.matches.list()) |match| {
        if (count == model.most_keywords) return;
        const told = if (scratch.told) |kind| if (match.evidence.of(kind) != null) kind else null else null;
        const theme = match.named orelse told orelse continue;
        if (count > 0) try out.byte(',');
        count += 1;
        try out.bytes(literal[0]);
        try model.joined(tokens[match.start -| model.context..match.start], out);
        try out.bytes(literal[1]);
        try model.joined(tokens[match.start..match.stop], out);
        try out.bytes(literal[2]);
        try model.joined(tokens[match.stop..@min(tokens.len, match.stop + model.context)], out);
        try out.bytes(literal[3]);
        try out.bytes(model.kinds[theme].code);
        try out.bytes(literal[4]);
    }
}

/// Words with a space between them, as far as they are kept. They hold no quote and no backslash.
fn joined(model: *const Classifier, words: []const []const u8, out: *Output) Error!void {
    var left = model.most_characters;
    for (words, 0..) |word, at| {
        if (left == 0) return;
        if (at > 0) {
            try out.byte(' ');
            left -= 1;
        }
        for (word) |byte| {
            if (byte & 0xc0 != 0x80) {
                if (left == 0) return;
                left -= 1;
            }
            try out.byte(byte);
        }
    }
}
