/** Where Daybook is and who looks: in the address, which is fine for a test and nowhere else. */
const given = new URLSearchParams(location.search);

export const source = { baseUrl: given.get("daybook"), getToken: async () => given.get("token") };
