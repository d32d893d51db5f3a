//! `places` of chalicelib/places/hashtags.py: the name of places that a hashtag names.

const std = @import("std");
const context = @import("context.zig");
const Gazetteer = @import("Gazetteer.zig");
const Kind = Gazetteer.Kind;
const Number = Gazetteer.Number;

const longest_tag = 40;
const longest_name = 4; // words
const a_word = "la";

const Kinds = []const Kind;
const alone: Kinds = &.{ .name, .large, .initials, .tag, .person };
const phrase: Kinds = &.{ .name, .large, .person, .small };
const part: Kinds = &.{ .name, .large, .person };
const abbreviated: Kinds = &.{.tag};
const beside: Kinds = &.{ .name, .large, .initials, .tag, .person, .code, .small, .demonym };

/// A hashtag's words in lower case.
const Words = struct {
    spaced: [2 * longest_tag]u8 = undefined, // with a space between them
    used: usize = 0,
    starts: [longest_tag + 1]usize = undefined, // and a last one, where another word would start
    count: usize = 0,

    fn add(words: *Words, byte: u8) void {
        words.spaced[words.used] = byte;
        words.used += 1;
    }

    /// From one word to before another.
    fn joined(words: *const Words, start: usize, end: usize) []const u8 {
        return words.spaced[words.starts[start] .. words.starts[end] - 1];
    }
};

/// Of its places; null for a tag that names none.
pub fn numberOf(gazetteer: *const Gazetteer, tag: []const u8) ?Number {
    if (tag.len > longest_tag) return null;
    const words = wordsOf(tag);
    var buffer: [longest_tag]u8 = undefined;
    const joined = withoutSpaces(&words, &buffer);
    if (!std.mem.eql(u8, joined, a_word)) {
        if (named(gazetteer, joined, alone)) |found| return found;
    }
    if (words.count > 1) {
        if (ofWords(gazetteer, &words)) |found| return found;
        if (context.isUpper(tag[tag.len - 2 ..])) {
            if (named(gazetteer, words.joined(words.count - 1, words.count), abbreviated)) |found| return found;
        }
    }
    return besideOne(gazetteer, joined);
}

fn wordsOf(tag: []const u8) Words {
    var words: Words = .{};
    var inside = false;
    for (tag, 0..) |byte, at| {
        if (byte == '_') {
            inside = false;
            continue;
        }
        if (!inside or isHump(tag[at - 1], byte)) {
            if (words.count > 0) words.add(' ');
            words.starts[words.count] = words.used;
            words.count += 1;
        }
        words.add(std.ascii.toLower(byte));
        inside = true;
    }
    words.starts[words.count] = words.used + 1;
    return words;
}

/// `_HUMP`
fn isHump(before: u8, byte: u8) bool {
    if (std.ascii.isLower(before)) return std.ascii.isUpper(byte) or std.ascii.isDigit(byte);
    return std.ascii.isDigit(before) and std.ascii.isAlphabetic(byte);
}

/// All of them written together, without the digits at the ends.
fn withoutSpaces(words: *const Words, buffer: *[longest_tag]u8) []const u8 {
    var used: usize = 0;
    for (words.spaced[0..words.used]) |byte| {
        if (byte == ' ') continue;
        buffer[used] = byte;
        used += 1;
    }
    return std.mem.trim(u8, buffer[0..used], "0123456789");
}

/// `_of_words`
fn ofWords(gazetteer: *const Gazetteer, words: *const Words) ?Number {
    var size = @min(words.count, longest_name);
    while (size > 0) : (size -= 1) {
        const kinds = if (size == words.count) phrase else part;
        for (0..words.count - size + 1) |at| {
            if (named(gazetteer, words.joined(at, at + size), kinds)) |found| return found;
        }
    }
    return null;
}

/// `_beside`
fn besideOne(gazetteer: *const Gazetteer, joined: []const u8) ?Number {
    for (2..@max(2, joined.len -| 1)) |at| {
        const first, const rest = .{ joined[0..at], joined[at..] };
        if (isTag(gazetteer, rest)) if (named(gazetteer, first, beside)) |found| return found;
        if (isTag(gazetteer, first)) if (named(gazetteer, rest, beside)) |found| return found;
    }
    return null;
}

fn isTag(gazetteer: *const Gazetteer, word: []const u8) bool {
    return if (gazetteer.roles.find(word)) |roles| roles.tag else false;
}

/// `_of`: the number of a name of one of these kinds that has places.
fn named(gazetteer: *const Gazetteer, name: []const u8, kinds: Kinds) ?Number {
    const number = gazetteer.numberOf(name);
    return if (number.places > 0 and std.mem.findScalar(Kind, kinds, number.kind) != null) number else null;
}
