//! A record from JSON to rows, if it holds flat tweets and nothing out of the ordinary: `unpack` and `facts` of
//! chalicelib/transform. Whatever else it holds is `error.Unusual`, and Python's.

const std = @import("std");
const clean = @import("clean.zig");
const text_key = @import("text_key.zig");
const time = @import("time.zig");
const Characters = @import("Characters.zig");
const Classifier = @import("Classifier.zig");
const Output = @import("Output.zig");
const Places = @import("Places.zig");
const Recipe = @import("Recipe.zig");
const Json = @import("Json.zig");
const Error = Output.Error;

const most_text = 1 << 15; // characters of a text while it is cleaned

/// A tweet's row, but for the classifier's name and the link, which Python adds.
pub const Row = extern struct {
    facts: u32, // where its facts end in all that is written
    end: u32, // where the verdict behind them does
    label: u32, // index into Python's labels
};

pub const Out = struct {
    rows: []Row,
    written: Output,
    tweets: u32 = 0,
};

/// Room to work in, for one record at a time.
pub const Scratch = struct {
    strings: [1 << 17]u8, // without their escapes
    one: [most_text]Characters.Index,
    other: [most_text]Characters.Index,
    cleaned: [2 * most_text]u8,
    letters: [1 << 16]u8, // of its words
    classifier: Classifier.Scratch,
    places: Places.Scratch,
};

const Value = struct { text: []const u8, rank: u8 };
const Values = [Recipe.most_slots]?Value;

/// Writes the rows of a record's tweets.
pub fn rows(scratch: *Scratch, classifier: *Classifier, recipe: *const Recipe, places: *const Places, shift: f64, data: []const u8, arrived: i64, out: *Out) Error!void {
    const payload = strip(data);
    if (payload.len == 0) return error.Unusual;
    var lines = std.mem.splitScalar(u8, payload, '\n');
    while (lines.next()) |line| {
        const source = strip(line);
        if (source.len > 0) try row(scratch, classifier, recipe, places, shift, source, arrived, out);
    }
}

fn strip(bytes: []const u8) []const u8 {
    return std.mem.trim(u8, bytes, " \t\n\r\x0b\x0c");
}

fn row(scratch: *Scratch, classifier: *Classifier, recipe: *const Recipe, places: *const Places, shift: f64, source: []const u8, arrived: i64, out: *Out) Error!void {
    var values: Values = @splat(null);
    var strings: Output = .{ .buffer = &scratch.strings };
    try fields(recipe, source, &values, &strings);
    const text = of(recipe, &values, .text) orelse return error.Unusual;
    const characters = try clean.clean(&classifier.characters, text, &scratch.one, &scratch.other);
    var encoded: Output = .{ .buffer = &scratch.cleaned };
    try classifier.characters.encode(characters, &encoded);
    const cleaned = encoded.written();
    const verdict = try classifier.classify(characters, shift, &scratch.classifier);

    if (out.tweets == out.rows.len) return error.Unusual;
    const made = &out.rows[out.tweets];
    const facts = &out.written;
    for (recipe.pieces) |piece| {
        try facts.bytes(piece.literal);
        const value: ?[]const u8 = if (values[piece.slot]) |found| found.text else null;
        switch (piece.what) {
            .nothing => {},
            .text => try facts.quoted(text),
            .cleaned => try facts.quoted(cleaned),
            .arrived => try facts.number(try milliseconds(arrived)),
            .key => try key(recipe, source, facts),
            .keywords => try classifier.keywords(&scratch.classifier, &recipe.keyword, facts),
            .arrived_at => try time.stamp(try milliseconds(arrived), facts),
            .field => if (value) |found| try facts.quoted(found) else try facts.bytes("null"),
            .time => try written(recipe, &values, value, try milliseconds(arrived), facts),
            .text_key => if (try text_key.of(&classifier.characters, recipe.key_sizes, characters, &scratch.letters)) |found| {
                try facts.bytes(recipe.around_key[0]);
                try facts.hex(&found);
                try facts.bytes(recipe.around_key[1]);
            },
            .place => try places.write(&classifier.characters, text, of(recipe, &values, .location), &scratch.places, facts),
            .verdict => made.facts = @intCast(facts.used),
            .label => try facts.bytes(classifier.labels[verdict.label]),
            .score => try probability(verdict.score, facts),
            .relevance => try facts.quoted(recipe.relevance[@intFromBool(verdict.relevant >= 0.5)]),
            .relevant => try probability(verdict.relevant, facts),
            .information => if (verdict.told) |told| {
                try facts.bytes(recipe.before_told[0]);
                try facts.bytes(told.type);
                try facts.bytes(recipe.before_told[1]);
                try probability(told.probability, facts);
            },
        }
    }
    made.end = @intCast(facts.used);
    made.label = verdict.label;
    out.tweets += 1;
}

/// The value of the first field of a kind.
fn of(recipe: *const Recipe, values: *const Values, kind: Recipe.Slot.Kind) ?[]const u8 {
    for (values[0..recipe.slots.len], recipe.slots) |value, slot| {
        if (slot.kind == kind) return if (value) |found| found.text else null;
    }
    return null;
}

/// As `%.6f` writes it. The classifier returns none that lies between two of these.
fn probability(value: f64, facts: *Output) Error!void {
    const millionths: u64 = @intFromFloat(@round(value * 1e6));
    try facts.number(millionths / 1_000_000);
    try facts.byte('.');
    try facts.padded(millionths % 1_000_000, 6);
}

fn milliseconds(arrived: i64) Error!u64 {
    return std.math.cast(u64, arrived) orelse error.Unusual;
}

/// `tweet_key`
fn key(recipe: *const Recipe, source: []const u8, facts: *Output) Error!void {
    var hash: std.crypto.hash.blake2.Blake2b128 = .init(.{});
    if (std.mem.endsWith(u8, source, recipe.replayed)) {
        hash.update(source[0 .. source.len - recipe.replayed.len]);
        hash.update("}");
    } else {
        hash.update(source);
    }
    var digest: [16]u8 = undefined;
    hash.final(&digest);
    try facts.hex(&digest);
}

/// When the tweet was written: as it says, or as its ID does.
fn written(recipe: *const Recipe, values: *const Values, said: ?[]const u8, arrived: u64, facts: *Output) Error!void {
    if (said) |moment| {
        try facts.byte('"');
        try time.read(moment, facts);
        return facts.byte('"');
    }
    const ms = timeOfId(recipe, of(recipe, values, .id) orelse ""); // the first is the tweet's own
    if (ms < recipe.first_time or ms > arrived) return facts.bytes("null");
    try facts.byte('"');
    try time.stamp(ms, facts);
    try facts.byte('"');
}

/// `written` of chalicelib/transform/rows.py; 0 for an ID that can hold no time.
fn timeOfId(recipe: *const Recipe, id: []const u8) u64 {
    if (id.len < 15 or id.len > 19 or std.mem.endsWith(u8, id, "0000000000")) return 0;
    var number: u64 = 0;
    for (id) |digit| {
        if (digit < '0' or digit > '9') return 0;
        number = number * 10 + (digit - '0'); // of 19 digits at most
    }
    return (number >> 22) + recipe.id_epoch;
}

/// The values of a flat object's keys that mean something. Empty ones count as none, but for the text.
fn fields(recipe: *const Recipe, source: []const u8, values: *Values, strings: *Output) Error!void {
    if (!std.unicode.utf8ValidateSlice(source)) return error.Unusual;
    var json: Json = .{ .source = source, .strings = strings };
    var seen: std.bit_set.StaticBitSet(256) = .empty;
    try json.open();
    while (try json.key()) |name| {
        const at = recipe.find(name) orelse {
            _ = try json.value();
            continue;
        };
        if (seen.isSet(at)) return error.Unusual;
        seen.set(at);
        const known = recipe.names[at];
        const slot = recipe.slots[known.slot];
        if (slot.kind == .unusual) return error.Unusual;
        const found = switch (try json.value()) {
            .string => |text| text,
            .number => |digits| if (slot.kind == .id and digits[0] != '-') digits else return error.Unusual,
            .nothing => continue,
            .other => return error.Unusual,
        };
        if (found.len > slot.most or !storable(found, slot.kind) or !chosen(found, slot.choices)) return error.Unusual;
        const kept = &values[known.slot];
        if (kept.*) |before| {
            if (before.rank < known.rank) continue;
        }
        kept.* = .{ .text = found, .rank = known.rank };
    }
    for (values[0..recipe.slots.len]) |*value| {
        if (value.*) |found| {
            if (found.text.len == 0) value.* = null;
        }
    }
}

fn chosen(text: []const u8, choices: []const []const u8) bool {
    for (choices) |choice| if (std.mem.eql(u8, text, choice)) return true;
    return choices.len == 0;
}

/// Whether a column can hold it as it is. A text's characters are looked at when it is cleaned, but for those that may
/// be spaces: it must have others.
fn storable(text: []const u8, kind: Recipe.Slot.Kind) bool {
    for (text) |byte| switch (kind) {
        .text => if (byte > ' ' and byte < 0x80) return true,
        // U+FDD0 to U+FDEF and the last two of each plane have one of these; few others do
        .string, .location => if (byte == 0 or byte == 0xef or byte == 0xbf) return false,
        else => if (byte == 0 or byte >= 0x80) return false,
    };
    return kind != .text;
}
