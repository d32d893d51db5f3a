//! `strength` of chalicelib/places/context.py: what the words around a name say.

const std = @import("std");
const Gazetteer = @import("Gazetteer.zig");
const Text = @import("mentions.zig").Text;
const Roles = Gazetteer.Roles;

const sure = 2.0;
const likely = 1.5;
const weak = 1.0;
const none = 0.0;
const led_more = 1.0; // if a word leads to it
const shortest_shouted = 6;

const Case = enum { shouted, titled, mixed, small_letters };

pub const Context = struct {
    gazetteer: *const Gazetteer,
    text: *const Text,
    case: Case,

    pub fn of(gazetteer: *const Gazetteer, text: *const Text) Context {
        return .{ .gazetteer = gazetteer, .text = text, .case = caseOf(text) };
    }

    /// How sure it is that the name from word `start` to `end` means a place; 0 if it doesn't.
    pub fn strength(around: *const Context, kind: Gazetteer.Kind, start: usize, end: usize, follows: bool) f32 {
        const text = around.text;
        const word = text.word(start);
        const gap = text.gap(start);
        const before = if (start > 0) around.roles(start - 1) else Roles{};
        const after = around.roles(end);
        const led = before.leading;
        const many = end - start > 1;
        const listed = follows and std.mem.findScalar(u8, gap, ',') != null;
        const surely: f32 = if (led) sure + led_more else sure;
        if (endsWithOne(gap, "-") and kind != .code) return none; // pro-Gaza
        switch (kind) {
            .name, .large => {
                if (after.team or (around.case == .shouted and !many and !led and word.len < shortest_shouted)) return none;
                if (many or led or around.case == .small_letters or !std.ascii.isLower(word[0])) return surely;
                return if (kind == .name) weak else none;
            },
            .initials => return if (isUpper(text.word(end - 1)) and (many or around.case != .shouted)) surely else none,
            .code => {
                const alone = !around.roles(start).no_initials and (led or endsWithOne(gap, "-[(") or after.event);
                return if (isUpper(word) and (listed or (alone and around.case != .shouted))) sure else none;
            },
            .demonym => return if (before.hazard or after.hazard or around.roles(end + 1).hazard) weak else none,
            .word, .person, .small => {},
            .nothing, .tag, _ => return none,
        }
        if (std.ascii.isLower(word[0])) return none;
        const is_sure = led or listed or around.isRegion(end);
        switch (kind) {
            .word => return if (is_sure and !listed and around.case == .mixed and start > 0) likely else none,
            .person => {
                if (is_sure) return if (after.team) none else sure;
                const of_person = start > 0 and std.ascii.isUpper(text.word(start - 1)[0]) and std.mem.eql(u8, gap, " ");
                return if (after.event and !of_person and !before.title) weak else none;
            },
            else => return if (is_sure or after.event or (many and around.case != .titled)) likely else none,
        }
    }

    /// Of a word in lower case; none behind the last word.
    fn roles(around: *const Context, at: usize) Roles {
        if (at >= around.text.words) return .{};
        return if (around.gazetteer.roles.find(around.text.lower(at))) |found| found.* else .{};
    }

    /// Whether the word behind a name names the region or country that it is in.
    fn isRegion(around: *const Context, at: usize) bool {
        const text = around.text;
        if (at == text.words or !std.ascii.isUpper(text.word(at)[0])) return false;
        const number = text.numbers[at];
        return number.places > 0 and (std.mem.findScalar(u8, text.gap(at), ',') != null or number.kind == .code);
    }
};

fn endsWithOne(gap: []const u8, of: []const u8) bool {
    return gap.len > 0 and std.mem.findScalar(u8, of, gap[gap.len - 1]) != null;
}

/// Whether a capital letter says anything in a text.
fn caseOf(text: *const Text) Case {
    var upper: usize = 0;
    var capital: usize = 0;
    for (0..text.words) |at| {
        upper += @intFromBool(isUpper(text.word(at)));
        capital += @intFromBool(isTitle(text.word(at)));
    }
    if (upper * 2 > text.words) return .shouted;
    if ((upper + capital) * 3 > text.words * 2 and text.words > 3) return .titled;
    return if (upper + capital > 0) .mixed else .small_letters;
}

/// Python's `isupper`.
pub fn isUpper(word: []const u8) bool {
    var any = false;
    for (word) |byte| {
        if (std.ascii.isLower(byte)) return false;
        any = any or std.ascii.isUpper(byte);
    }
    return any;
}

/// Python's `istitle`.
fn isTitle(word: []const u8) bool {
    var any = false;
    var inside = false;
    for (word) |byte| {
        if (if (inside) std.ascii.isUpper(byte) else std.ascii.isLower(byte)) return false;
        inside = std.ascii.isAlphabetic(byte);
        any = any or inside;
    }
    return any;
}
