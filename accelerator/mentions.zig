//! `mentions` of chalicelib/places/mentions.py: the names of the gazetteer that a text has, hashtags among them.

const std = @import("std");
const context = @import("context.zig");
const hashtags = @import("hashtags.zig");
const Characters = @import("Characters.zig");
const Gazetteer = @import("Gazetteer.zig");
const Output = @import("Output.zig");
const Error = Output.Error;

pub const most_words = 400; // that are read
const most_found = 16; // in a text, and of its hashtags
pub const most = 2 * most_found;
const most_bytes = 1 << 16;
const longest_name = 255; // bytes

pub const Basis = enum { text, hashtag, author_location };

pub const Mention = struct { number: Gazetteer.Number, strength: f32, basis: Basis };

pub const Mentions = struct {
    buffer: [most]Mention = undefined,
    used: usize = 0,

    pub fn list(found: *const Mentions) []const Mention {
        return found.buffer[0..found.used];
    }

    fn add(found: *Mentions, mention: Mention) void {
        found.buffer[found.used] = mention;
        found.used += 1;
    }
};

/// A text as places are looked for in it, and its first words.
pub const Text = struct {
    buffer: [most_bytes]u8, // without accents and links; what is beyond ASCII is one of `Characters.beyond`
    letters: [most_bytes]u8, // the same in lower case
    used: usize,
    spans: [most_words]Span,
    words: usize,
    named: bool, // whether it has any word without which it names nothing
    numbers: [most_words]Gazetteer.Number,

    const Span = struct { start: u32, end: u32 };

    pub fn word(text: *const Text, at: usize) []const u8 {
        return text.buffer[text.spans[at].start..text.spans[at].end];
    }

    pub fn lower(text: *const Text, at: usize) []const u8 {
        return text.letters[text.spans[at].start..text.spans[at].end];
    }

    /// What is before a word.
    pub fn gap(text: *const Text, at: usize) []const u8 {
        return text.buffer[if (at > 0) text.spans[at - 1].end else 0..text.spans[at].start];
    }

    /// Words from one to before another, with a space between them; null for longer ones than any name.
    fn joined(text: *const Text, start: usize, end: usize, to: *[longest_name]u8) ?[]const u8 {
        var out: Output = .{ .buffer = to };
        for (start..end) |at| {
            if (at > start) out.byte(' ') catch return null;
            out.bytes(text.lower(at)) catch return null;
        }
        return out.written();
    }
};

/// `written`: valid UTF-8, as it came.
pub fn mentions(characters: *const Characters, gazetteer: *const Gazetteer, written: []const u8, text: *Text, found: *Mentions) Error!void {
    found.used = 0;
    try read(characters, written, text);
    split(gazetteer, text);
    if (text.named) named(gazetteer, text, found);
    var tags: usize = 0;
    var at: usize = 0;
    while (std.mem.findScalarPos(u8, text.buffer[0..text.used], at, '#')) |hash| {
        at = hash + 1;
        while (at < text.used and inWord(text.buffer[at])) at += 1;
        if (at == hash + 1) continue;
        if (hashtags.numberOf(gazetteer, text.buffer[hash + 1 .. at])) |number| {
            found.add(.{ .number = number, .strength = 2.0, .basis = .hashtag });
        }
        tags += 1;
        if (tags == most_found) break;
    }
    for (found.list()) |mention| if (mention.strength > context.faint) return;
    found.used = 0;
}

fn read(characters: *const Characters, written: []const u8, text: *Text) Error!void {
    var out: Output = .{ .buffer = &text.buffer };
    var at: usize = 0;
    while (at < written.len) {
        if (written[at] < 0x80) {
            const start = at;
            while (at < written.len and written[at] < 0x80) at += 1;
            try out.bytes(written[start..at]);
        } else if (std.mem.startsWith(u8, written[at..], "à ")) {
            try out.bytes("dans "); // folded it were the English article
            at += "à ".len;
        } else {
            const length = std.unicode.utf8ByteSequenceLength(written[at]) catch return error.Unusual;
            if (length > written.len - at) return error.Unusual;
            const code = std.unicode.utf8Decode(written[at..][0..length]) catch return error.Unusual;
            try out.bytes(characters.get(try characters.of(code)).plain);
            at += length;
        }
    }
    text.used = withoutLinks(characters, out.written());
    for (text.buffer[0..text.used], text.letters[0..text.used]) |byte, *letter| letter.* = std.ascii.toLower(byte);
}

/// Puts a space for each link; returns how much is left of the text.
fn withoutLinks(characters: *const Characters, text: []u8) usize {
    var used: usize = 0;
    var at: usize = 0;
    while (std.mem.findPos(u8, text, at, "http")) |start| {
        std.mem.copyForwards(u8, text[used..], text[at..start]);
        used += start - at;
        at = start;
        while (at < text.len and !isSpace(characters, text[at])) at += 1;
        text[used] = ' ';
        used += 1;
    }
    std.mem.copyForwards(u8, text[used..], text[at..]);
    return used + text.len - at;
}

fn isSpace(characters: *const Characters, byte: u8) bool {
    return if (byte < 0x80) characters.get(byte).space else byte == Characters.beyond.space;
}

/// Finds the text's words, and what they are in the gazetteer.
fn split(gazetteer: *const Gazetteer, text: *Text) void {
    text.words = 0;
    text.named = false;
    var at: usize = 0;
    while (true) {
        while (at < text.used and !inWord(text.buffer[at])) at += 1;
        if (at == text.used) return;
        const start = at;
        while (at < text.used and inWord(text.buffer[at])) at += 1;
        const name = gazetteer.names.find(text.letters[start..at]);
        const anchor = if (name) |found| found.anchor else false;
        text.named = text.named or anchor or isCapital(gazetteer, text.buffer[start..at]);
        if (text.words == most_words) continue;
        text.spans[text.words] = .{ .start = @intCast(start), .end = @intCast(at) };
        text.numbers[text.words] = if (name) |found| found.number else .{};
        text.words += 1;
    }
}

fn isCapital(gazetteer: *const Gazetteer, word: []const u8) bool {
    return if (gazetteer.roles.find(word)) |roles| roles.capital else false;
}

fn inWord(byte: u8) bool {
    return std.ascii.isAlphanumeric(byte) or byte == '_';
}

/// `_named`: at each word the longest name that begins there.
fn named(gazetteer: *const Gazetteer, text: *const Text, found: *Mentions) void {
    var around: ?context.Context = null;
    var free: usize = 0; // where the next name may begin
    var ended: ?usize = null; // where the last mention ended
    for (text.numbers[0..text.words], 0..) |alone, at| {
        if (at < free or alone == Gazetteer.Number{}) continue;
        const number, const size = longest(gazetteer, text, at);
        free = at + size;
        if (number.places == 0) continue;
        if (around == null) around = .of(gazetteer, text);
        const gap = text.gap(at);
        if (std.mem.endsWith(u8, gap, "#") or std.mem.endsWith(u8, gap, "@")) continue;
        const strength = around.?.strength(number.kind, at, free, ended == at);
        if (strength == 0) continue;
        found.add(.{ .number = number, .strength = strength, .basis = .text });
        ended = free;
        if (found.used == most_found) break;
    }
}

/// The number of the longest name that begins at a word, and how many words it has.
fn longest(gazetteer: *const Gazetteer, text: *const Text, at: usize) struct { Gazetteer.Number, usize } {
    var buffer: [longest_name]u8 = undefined;
    var size: usize = @min(text.numbers[at].longest, text.words - at);
    while (size > 1) : (size -= 1) {
        const words = text.joined(at, at + size, &buffer) orelse continue;
        const name = gazetteer.names.find(words) orelse continue;
        if (!name.anchor) return .{ name.number, size };
    }
    return .{ text.numbers[at], 1 };
}
