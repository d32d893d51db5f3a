//! `text_key` of chalicelib/transform/text_key.py, for texts of plain characters.

const std = @import("std");
const Characters = @import("Characters.zig");
const Input = @import("Input.zig");
const Output = @import("Output.zig");
const Error = Output.Error;

const most_words = 32;

/// How much of a text counts, as Python says.
pub const Sizes = struct {
    characters: usize,
    words: usize, // of these characters
    longest: usize, // of these words

    pub fn init(input: *Input) !Sizes {
        const sizes: Sizes = .{ .characters = try input.int(u16), .words = try input.int(u8), .longest = try input.int(u8) };
        return if (sizes.words <= most_words) sizes else error.Malformed;
    }
};

/// The key of a cleaned text; null for a text without a word. `letters`: room for its words.
pub fn of(characters: *const Characters, sizes: Sizes, text: []const Characters.Index, letters: []u8) Error!?[8]u8 {
    var buffer: [most_words][]const u8 = undefined;
    const words = buffer[0..try first(characters, text[0..@min(text.len, sizes.characters)], letters, buffer[0..sizes.words])];
    if (words.len == 0) return null;
    var hash: std.crypto.hash.blake2.Blake2b(64) = .init(.{});
    for (0..@min(words.len, sizes.longest)) |nth| {
        const longest = longestOf(words);
        if (nth > 0) hash.update(" ");
        hash.update(longest.*);
        longest.* = "";
    }
    var digest: [8]u8 = undefined;
    hash.final(&digest);
    return digest;
}

/// Finds the first words; returns how many there are.
fn first(characters: *const Characters, text: []const Characters.Index, letters: []u8, words: [][]const u8) Error!usize {
    var lower: Output = .{ .buffer = letters };
    var count: usize = 0;
    var at: usize = 0;
    while (count < words.len) : (count += 1) {
        while (at < text.len and !characters.get(text[at]).alphabetic) at += 1;
        const start = lower.used;
        while (at < text.len and characters.get(text[at]).alphabetic) : (at += 1) try lower.bytes(characters.get(text[at]).folded);
        if (lower.used == start) break;
        words[count] = lower.buffer[start..lower.used];
    }
    return count;
}

/// The first of the longest ones.
fn longestOf(words: [][]const u8) *[]const u8 {
    var found = &words[0];
    for (words[1..]) |*word| {
        if (word.len > found.len) found = word;
    }
    return found;
}
