//! What is known of words: a table of open addressing, at most half full.
//!
//! What takes time is memory that is far away. A search reads one bit where a word is not there, and one slot more where
//! it is: its first letters are in it.

const std = @import("std");

const bits = 4; // of the filter, for each slot

pub fn Words(comptime Value: type) type {
    return struct {
        filter: std.bit_set.DynamicBitSetUnmanaged, // by the words' hashes; most words that are not there have no bit
        slots: []Slot, // as many as a power of two
        names: []const u8,

        const Self = @This();
        const Slot = struct { letters: u64, start: u32, length: u8, value: Value }; // `length` 0: it is empty

        pub fn init(count: usize, names: []const u8, allocator: std.mem.Allocator) !Self {
            const slots = try allocator.alloc(Slot, try std.math.ceilPowerOfTwo(usize, 2 * count + 1));
            for (slots) |*slot| slot.length = 0;
            return .{ .filter = try .initEmpty(allocator, bits * slots.len), .slots = slots, .names = names };
        }

        /// Adds `names[start..][0..length]`, which must not be there yet.
        pub fn add(words: *Self, start: usize, length: usize, value: Value) error{Malformed}!void {
            if (length == 0 or length > 255) return error.Malformed;
            const word = words.names[start..][0..length];
            const hash = hashOf(word);
            words.filter.set(hash & bits * words.slots.len - 1);
            var at = hash & words.slots.len - 1;
            while (words.slots[at].length > 0) at = at + 1 & words.slots.len - 1;
            words.slots[at] = .{ .letters = lettersOf(word), .start = @intCast(start), .length = @intCast(length), .value = value };
        }

        /// Has what `find` will read brought near, while other things are done.
        pub fn fetch(words: *const Self, hash: u32) void {
            if (words.filter.isSet(hash & bits * words.slots.len - 1)) @prefetch(&words.slots[hash & words.slots.len - 1], .{});
        }

        pub fn find(words: *const Self, word: []const u8) ?*Value {
            return words.findOf(hashOf(word), word);
        }

        /// `hash`: the word's.
        pub fn findOf(words: *const Self, hash: u32, word: []const u8) ?*Value {
            if (!words.filter.isSet(hash & bits * words.slots.len - 1)) return null;
            const letters = lettersOf(word);
            var at = hash & words.slots.len - 1;
            while (words.slots[at].length > 0) : (at = at + 1 & words.slots.len - 1) {
                const slot = &words.slots[at];
                if (slot.letters != letters or slot.length != word.len) continue;
                if (word.len <= 8 or std.mem.eql(u8, words.names[slot.start + 8 ..][0 .. word.len - 8], word[8..])) return &slot.value;
            }
            return null;
        }
    };
}

/// The first 8 bytes of a word, or all that it has, as a number: no other word of its length has it, if it has no more.
fn lettersOf(word: []const u8) u64 {
    if (word.len >= 8) return std.mem.readInt(u64, word[0..8], .little);
    if (word.len >= 4) return @as(u64, std.mem.readInt(u32, word[0..4], .little)) << 32 | std.mem.readInt(u32, word[word.len - 4 ..][0..4], .little);
    var letters: u64 = 0;
    for (word) |byte| letters = letters << 8 | byte;
    return letters;
}

pub fn hashOf(word: []const u8) u32 {
    return @truncate(std.hash.Wyhash.hash(0, word));
}

/// The words of a list, a line each, and where they begin in it.
pub const Lines = struct {
    each: std.mem.SplitIterator(u8, .scalar),

    pub const Line = struct { start: usize, text: []const u8 };

    pub fn of(names: []const u8) Lines {
        return .{ .each = std.mem.splitScalar(u8, names, '\n') };
    }

    pub fn next(lines: *Lines) error{Malformed}!Line {
        const start = lines.each.index orelse return error.Malformed;
        return .{ .start = start, .text = lines.each.next() orelse return error.Malformed };
    }
};
