//! Whether a text may speak of a place: whether it has a hashtag, or a word without which `mentions` of
//! chalicelib/places finds nothing. Which place it is says Python. To say yes too often costs time, and nothing else.

const std = @import("std");
const Characters = @import("Characters.zig");
const Input = @import("Input.zig");
const Output = @import("Output.zig");
const Words = @import("Words.zig");
const Error = Output.Error;
const Places = @This();

words: Words, // `weight` of those that count in any case is 0

pub fn init(input: *Input, allocator: std.mem.Allocator) !Places {
    const counts = [2]u32{ try input.int(u32), try input.int(u32) };
    const names = try input.bytes(u32);
    var places: Places = .{ .words = try .init(counts[0] + counts[1], names, allocator) };
    var each = std.mem.splitScalar(u8, names, '\n');
    for (counts, 0..) |count, capitals| {
        for (0..count) |_| {
            const start = each.index orelse return error.Malformed;
            const name = each.next() orelse return error.Malformed;
            try places.words.add(@intCast(start), name.len, @intCast(capitals), 0);
        }
    }
    return places;
}

/// `text` is valid UTF-8, as it was written. `letters`: room for its words.
pub fn mayBeIn(places: *Places, characters: *const Characters, text: []const u8, letters: []u8) Error!bool {
    var lower: Output = .{ .buffer = letters };
    var start: usize = 0;
    var small = true; // all letters of the word are small ASCII ones
    var at: usize = 0;
    while (at < text.len) {
        const byte = text[at];
        const length = std.unicode.utf8ByteSequenceLength(byte) catch return error.Unusual;
        if (length > text.len - at) return error.Unusual;
        const link = byte == 'h' and std.mem.startsWith(u8, text[at..], "http");
        if (byte == '#') return true;
        const folded = if (length == 1)
            text[at..][0..1]
        else
            characters.get(try characters.of(std.unicode.utf8Decode(text[at..][0..length]) catch return error.Unusual)).folded;
        if (!link and inWord(folded)) {
            for (folded) |letter| try lower.byte(std.ascii.toLower(letter));
            small = small and length == 1 and !std.ascii.isUpper(byte);
        } else {
            if (places.has(lower.buffer[start..lower.used], small)) return true;
            start = lower.used;
            small = true;
        }
        at = if (link) endOfLink(text, at) else at + length;
    }
    return places.has(lower.buffer[start..lower.used], small);
}

fn has(places: *Places, word: []const u8, small: bool) bool {
    if (!small and std.mem.find(u8, word, "http") != null) return true; // folded, it may be a link's beginning
    const found = places.words.find(word) orelse return false;
    return found.weight == 0 or !small;
}

fn inWord(folded: []const u8) bool {
    for (folded) |letter| if (!std.ascii.isAlphanumeric(letter) and letter != '_') return false;
    return folded.len > 0;
}

/// Where a link surely has ended in Python's eyes, or before.
fn endOfLink(text: []const u8, start: usize) usize {
    for (text[start..], start..) |byte, at| {
        if (byte <= ' ' or byte >= 0x7f) return at;
    }
    return text.len;
}
