/** The version of the API whose methods and texts these are (contract §15 D10). */
const ourVersion = '0.7.0'

export { ourVersion }
